-- name: kept
-- What is kept of these places already: nothing, but where records are read again.
select letter.id, letter.topic, letter.partition, letter.record_offset, letter.key, letter.payload,
  letter.header_names, letter.header_values
from unnest(%(topics)s::text[], %(partitions)s::int[], %(offsets)s::bigint[], %(times)s::bigint[])
  as place (topic, partition, record_offset, record_time)
join grnry.dead_letters as letter
  on letter.deployment = %(deployment)s and letter.topic = place.topic
    and letter.partition = place.partition and letter.record_offset = place.record_offset
    and letter.record_time is not distinct from to_timestamp(place.record_time::float8 / 1000);

-- name: add
-- All of a batch at once. Headers are texts of arrays, as rows have different numbers of them.
insert into grnry.dead_letters
  (deployment, topic, partition, record_offset, record_time, key, payload,
   header_names, header_values, reason, sqlstate, record_id, topic_id)
select %(deployment)s, letter.topic, letter.partition, letter.record_offset,
  to_timestamp(letter.record_time / 1000), letter.key, letter.payload, letter.header_names::text[],
  letter.header_values::bytea[], letter.reason, letter.sqlstate, letter.record_id, lease.topic_id
from unnest(%(topic)b::text[], %(partition)b::int[], %(record_offset)b::bigint[],
    %(record_time)b::float8[], %(key)b::bytea[], %(payload)b::bytea[], %(header_names)b::text[],
    %(header_values)b::text[], %(reason)b::text[], %(sqlstate)b::text[], %(record_id)b::bytea[])
    with ordinality
  as letter (topic, partition, record_offset, record_time, key, payload, header_names,
    header_values, reason, sqlstate, record_id, place)
left join grnry.leases as lease
  on lease.deployment = %(deployment)s and lease.topic = letter.topic
    and lease.partition = letter.partition
order by letter.place;

-- name: read_again
-- A record that another topic gives is that one's: what came after it in the former is not newer any more.
-- A worker that has not noticed yet that a topic was made again says of new records that they are of the
-- former one; and there they may have been superseded by what lies before them.
update grnry.dead_letters as letter
set topic_id = lease.topic_id,
  state = case when letter.topic_id is not null and letter.state = 'superseded' then 'failed'
    else letter.state end,
  settled_at = case when letter.topic_id is not null and letter.state = 'superseded' then null
    else letter.settled_at end
from grnry.leases as lease
where letter.id = any(%(ids)s)
  and (lease.deployment, lease.topic, lease.partition)
    = (letter.deployment, letter.topic, letter.partition)
  and lease.topic_id is not null and letter.topic_id is distinct from lease.topic_id;

-- name: doubt
-- Of which log they are is not known any more.
update grnry.dead_letters as letter
set topic_id = null
from unnest(%(topics)s::text[], %(partitions)s::int[]) as place (topic, partition)
where letter.deployment = %(deployment)s and letter.record_id is not null
  and letter.state in ('failed', 'queued') and letter.topic_id is not null
  and letter.topic = place.topic and letter.partition = place.partition;

-- name: has_open
select exists (
  select from grnry.dead_letters
  where deployment = %(deployment)s and record_id is not null and state in ('failed', 'queued')
) as has_open;

-- name: outdated
-- Those that are about what a batch writes; most have nothing to do with it, and are found by an index.
select record_id from grnry.dead_letters
where deployment = %(deployment)s and record_id is not null and state in ('failed', 'queued')
  and record_id = any(%(names)s::bytea[])
union all
select letter.record_id
from unnest(%(firsts)s::bytea[], %(lasts)s::bytea[]) as range (first, last)
join grnry.dead_letters as letter
  on letter.deployment = %(deployment)s and letter.record_id is not null
    and letter.state in ('failed', 'queued')
    and letter.record_id between range.first and range.last;

-- name: supersede
-- What a batch writes is newer than what
-- * is of a topic that was there before: the lease of a later one has it since later;
-- * lies before it in its partition;
-- * has an earlier time, in another partition: the log has no other order there;
-- * has an earlier time, where nobody knows of which topic the one is or the other.
-- The record of the dead letter itself is stored where it can be by now, and is no newer one.
with written as materialized (
  select place.first, place.last, place.partition, place.record_offset,
    to_timestamp(place.record_time::float8 / 1000) as record_time,
    lease.topic_id, coalesce(lease.topic_since, '-infinity') as topic_since
  from unnest(%(firsts)s::bytea[], %(lasts)s::bytea[], %(topics)s::text[], %(partitions)s::int[],
      %(offsets)s::bigint[], %(times)s::bigint[])
    as place (first, last, topic, partition, record_offset, record_time)
  join grnry.leases as lease
    on lease.deployment = %(deployment)s and lease.topic = place.topic
      and lease.partition = place.partition
)
update grnry.dead_letters as letter
set settled_at = now(),
  state = case
    when letter.partition = written.partition and letter.record_offset = written.record_offset
      and letter.record_time is not distinct from written.record_time then 'replayed'
    else 'superseded'
  end
from written
where letter.deployment = %(deployment)s and letter.record_id is not null
  and letter.state in ('failed', 'queued')
  and letter.record_id between written.first and written.last
  and case
    when letter.topic_id <> written.topic_id then letter.partition = written.partition or not exists (
      select from grnry.leases as later
      where later.deployment = letter.deployment and later.topic = letter.topic
        and later.topic_id = letter.topic_id and later.topic_since >= written.topic_since
    )
    when letter.partition <> written.partition
      then coalesce(letter.record_time <= written.record_time, true)
    when letter.record_offset = written.record_offset
      and letter.record_time is not distinct from written.record_time then not letter.is_edited
    when letter.record_offset < written.record_offset then true
    else (letter.topic_id = written.topic_id) is null and letter.record_time < written.record_time
  end;

-- name: supersede_before
-- What is replayed is newer than what lies before it in its partition, has an earlier time in another one
-- of the same topic, or has failed before it, where their topics are two or not known.
update grnry.dead_letters as letter
set state = 'superseded', settled_at = now()
from unnest(%(firsts)s::bytea[], %(lasts)s::bytea[], %(ids)s::bigint[])
    as written (first, last, id)
join grnry.dead_letters as replayed on replayed.id = written.id
where letter.deployment = %(deployment)s and letter.record_id is not null
  and letter.state in ('failed', 'queued')
  and letter.record_id between written.first and written.last
  and case
    when letter.topic_id = replayed.topic_id and letter.partition = replayed.partition
      then letter.record_offset < replayed.record_offset
    when letter.topic_id = replayed.topic_id then letter.record_time <= replayed.record_time
    else letter.id < replayed.id
  end;

-- name: is_queued
select exists (
  select from grnry.dead_letters where deployment = %(deployment)s and state = 'queued'
) as is_queued;

-- name: queued_partitions
-- Where a topic was made again with fewer partitions, who holds the first one sees to those of before.
select place.topic, place.partition, true as is_held
from unnest(%(topics)s::text[], %(partitions)s::int[]) as place (topic, partition)
where exists (
  select from grnry.dead_letters as letter
  where letter.deployment = %(deployment)s and letter.state = 'queued'
    and letter.topic = place.topic and letter.partition = place.partition
)
union all
select lease.topic, lease.partition, false
from unnest(%(topics)s::text[], %(partitions)s::int[]) as place (topic, partition)
join grnry.leases as first
  on first.deployment = %(deployment)s and first.topic = place.topic
    and first.partition = place.partition and first.topic_id is not null
join grnry.leases as lease
  on lease.deployment = first.deployment and lease.topic = first.topic
    and lease.topic_id is distinct from first.topic_id
where place.partition = 0 and exists (
  select from grnry.dead_letters as letter
  where letter.deployment = %(deployment)s and letter.state = 'queued'
    and letter.topic = lease.topic and letter.partition = lease.partition
);

-- name: lock_leases
-- Of partitions that others hold, or nobody.
select from grnry.leases
where deployment = %(deployment)s
  and (topic, partition) in (select * from unnest(%(topics)s::text[], %(partitions)s::int[]))
order by topic, partition
for update;

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
-- As they failed; those of one topic and partition as they lie in it.
order by max(letter.id) over (
    partition by letter.topic, letter.partition, letter.topic_id order by letter.record_offset
  ), letter.record_offset;

-- name: settle
update grnry.dead_letters as letter
set state = found.state, attempts = attempts + 1, settled_at = now(),
  last_reason = found.reason, last_sqlstate = found.sqlstate
from unnest(%(ids)s::bigint[], %(states)s::text[], %(reasons)s::text[], %(sqlstates)s::text[])
  as found (id, state, reason, sqlstate)
where letter.id = found.id;
