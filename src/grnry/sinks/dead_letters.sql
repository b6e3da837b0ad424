-- name: add
-- All of a batch at once. Headers are texts of arrays, as rows have different numbers of them.
insert into grnry.dead_letters
  (deployment, topic, partition, record_offset, record_time, key, payload,
   header_names, header_values, reason, sqlstate, record_id, state)
select %(deployment)s, topic, partition, record_offset, to_timestamp(record_time / 1000), key, payload,
  header_names::text[], header_values::bytea[], reason, sqlstate, record_id, state
from unnest(%(topic)b::text[], %(partition)b::int[], %(record_offset)b::bigint[],
    %(record_time)b::float8[], %(key)b::bytea[], %(payload)b::bytea[], %(header_names)b::text[],
    %(header_values)b::text[], %(reason)b::text[], %(sqlstate)b::text[], %(record_id)b::bytea[],
    %(state)b::text[]) with ordinality
  as letter (topic, partition, record_offset, record_time, key, payload, header_names,
    header_values, reason, sqlstate, record_id, state, place)
order by place
on conflict
  (deployment, topic, partition, record_offset, coalesce(record_time, to_timestamp(0))) do nothing;

-- name: has_open
select exists (
  select from grnry.dead_letters
  where deployment = %(deployment)s and record_id is not null and state in ('failed', 'queued')
) as has_open;

-- name: supersede
-- What a batch writes is newer than all that failed before it.
update grnry.dead_letters as letter
set state = 'superseded', settled_at = now()
from unnest(%(firsts)s::bytea[], %(lasts)s::bytea[]) as written (first, last)
where letter.deployment = %(deployment)s and letter.record_id is not null
  and letter.state in ('failed', 'queued')
  and letter.record_id between written.first and written.last;

-- name: supersede_before
-- What is replayed is newer than what failed before it in its partition.
update grnry.dead_letters as letter
set state = 'superseded', settled_at = now()
from unnest(%(firsts)s::bytea[], %(lasts)s::bytea[], %(topics)s::text[], %(partitions)s::int[],
    %(offsets)s::bigint[]) as written (first, last, topic, partition, record_offset)
where letter.deployment = %(deployment)s and letter.record_id is not null
  and letter.state in ('failed', 'queued')
  and letter.record_id between written.first and written.last
  and (letter.topic, letter.partition) = (written.topic, written.partition)
  and letter.record_offset < written.record_offset;

-- name: is_queued
select exists (
  select from grnry.dead_letters where deployment = %(deployment)s and state = 'queued'
) as is_queued;

-- name: queued_partitions
select place.topic, place.partition
from unnest(%(topics)s::text[], %(partitions)s::int[]) as place (topic, partition)
where exists (
  select from grnry.dead_letters as letter
  where letter.deployment = %(deployment)s and letter.state = 'queued'
    and letter.topic = place.topic and letter.partition = place.partition
);

-- name: take_queued
-- As many as fit the memory that a worker may take; the first one always.
with next as (
  select letter.id, letter.topic, letter.partition, letter.record_offset,
    coalesce(octet_length(
      case when letter.is_edited then letter.edited_payload else letter.payload end), 0) as size
  from grnry.dead_letters as letter
  where letter.deployment = %(deployment)s and letter.state = 'queued'
    and (letter.topic, letter.partition) in (
      select * from unnest(%(topics)s::text[], %(partitions)s::int[]))
  order by letter.topic, letter.partition, letter.record_offset
  limit %(limit)s
  for update
), sized as (
  select id, sum(size) over (order by topic, partition, record_offset) - size as before
  from next
)
select letter.id, letter.topic, letter.partition, letter.record_offset,
  (extract(epoch from letter.record_time) * 1000)::bigint as record_time, letter.key,
  case when letter.is_edited then letter.edited_payload else letter.payload end as payload,
  letter.header_names, letter.header_values, letter.record_id, letter.is_edited, letter.is_forced
from sized
join grnry.dead_letters as letter using (id)
where sized.before < %(bytes)s
order by letter.topic, letter.partition, letter.record_offset;

-- name: settle
update grnry.dead_letters as letter
set state = found.state, attempts = attempts + 1, settled_at = now(),
  last_reason = found.reason, last_sqlstate = found.sqlstate
from unnest(%(ids)s::bigint[], %(states)s::text[], %(reasons)s::text[], %(sqlstates)s::text[])
  as found (id, state, reason, sqlstate)
where letter.id = found.id;
