-- name: next_offsets
-- Offsets of a topic that had the same name say nothing about this one.
select partition, next_offset from grnry.leases
where deployment = %(deployment)s and topic = %(topic)s and next_offset is not null
  and coalesce(topic_id = %(topic_id)s, true);

-- name: stored
select correlation_id, event_id, created, partition_id, partition_offset, expires
from {table}
where event_type = %(event_type)s {conditions}
order by created desc, correlation_id, event_id
limit %(limit)s;

-- name: of_entity
and correlation_id = %(correlation_id)s

-- name: of_event
and event_id = %(event_id)s

-- name: dead_letters
-- Headers that a client has quoted are compared as they are quoted by it and by us.
select letter.partition, letter.record_offset, letter.reason, letter.failed_at,
  (extract(epoch from letter.record_time) * 1000)::bigint as record_time,
  letter.key, letter.header_names, letter.header_values,
  coalesce(letter.topic_id = %(topic_id)s, true) as may_be_in_topic
from grnry.dead_letters as letter
where letter.deployment = %(deployment)s and letter.topic = %(topic)s
  and letter.state in ('failed', 'queued')
  and (%(correlation_ids)s::bytea[] is null or letter.key = any(%(correlation_ids)s::bytea[])
    or exists (
      select from unnest(letter.header_names, letter.header_values) as header (name, value)
      where name = 'grnry-correlation-id' and value = any(%(correlation_ids)s::bytea[])
    ))
  and (%(event_ids)s::bytea[] is null or exists (
      select from unnest(letter.header_names, letter.header_values) as header (name, value)
      where name = 'grnry-event-id' and value = any(%(event_ids)s::bytea[])
    ))
order by letter.id desc
limit %(limit)s;
