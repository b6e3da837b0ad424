-- name: find
select event_type.name as event_type
from grnry.persisters as persister
join grnry.event_types as event_type on event_type.name = persister.event_type
where event_type.project = %(project)s
  and 'grnry-p-' || persister.kind || '-' || event_type.name = %(deployment)s;

-- name: sources
-- The deployments of a project that have dead letters.
with known as (
  select 'grnry-p-' || persister.kind || '-' || event_type.name as deployment,
    event_type.name as event_type
  from grnry.persisters as persister
  join grnry.event_types as event_type on event_type.name = persister.event_type
  where event_type.project = %(project)s
)
select known.deployment, known.event_type, tally.*
from known
cross join lateral (
  select state, count(*) as count, count(warned_at) as warned, min(failed_at) as oldest
  from grnry.dead_letters
  where deployment = known.deployment
  group by state
) as tally
order by known.deployment;

-- name: tally
-- All that is counted of a deployment, gone through once: by state, and by the frequent reasons.
with tally as materialized (
  select state, coalesce(last_reason, reason) as reason,
    case when last_reason is null then sqlstate else last_sqlstate end as sqlstate,
    count(*) as count, count(warned_at) as warned, min(failed_at) as oldest
  from grnry.dead_letters
  where deployment = %(deployment)s
  group by 1, 2, 3
)
(
  select state, null as reason, null as sqlstate, sum(count)::bigint as count,
    sum(warned)::bigint as warned, min(oldest) as oldest
  from tally
  group by state
) union all (
  select null, reason, sqlstate, sum(count)::bigint as count, 0, null
  from tally
  where state = any(%(states)s)
  group by reason, sqlstate
  order by count desc, reason, sqlstate
  limit %(limit)s
);

-- name: count
select count(*) from grnry.dead_letters as letter where {condition};

-- name: condition
letter.deployment = %(deployment)s and letter.state = any(%(states)s)
and (%(reason)s::text is null or coalesce(letter.last_reason, letter.reason) = %(reason)s)
and (%(partition)s::bigint is null or letter.partition = %(partition)s)
and (%(record_offset)s::bigint is null or letter.record_offset = %(record_offset)s)

-- name: letters
select letter.topic, letter.partition, letter.record_offset, letter.record_time, letter.key,
  substring(case when letter.is_edited then letter.edited_payload else letter.payload end
    from 1 for %(bytes)s) as payload,
  octet_length(case when letter.is_edited then letter.edited_payload else letter.payload end) as size,
  letter.header_names, letter.header_values,
  coalesce(letter.last_reason, letter.reason) as reason,
  case when letter.last_reason is null then letter.sqlstate else letter.last_sqlstate end as sqlstate,
  letter.reason as first_reason, letter.state, letter.attempts, letter.is_edited,
  letter.failed_at, letter.requested_at, letter.requested_by, letter.settled_at
from grnry.dead_letters as letter
where {condition}
order by letter.id
limit %(limit)s offset %(skipped)s;

-- name: queue
update grnry.dead_letters as letter
set state = 'queued', is_forced = %(forced)s, requested_at = now(), requested_by = %(by)s,
  settled_at = null
where {condition} and letter.state <> 'queued';

-- name: edit
update grnry.dead_letters as letter
set is_edited = true, edited_payload = %(payload)s
where {condition};

-- name: drop
delete from grnry.dead_letters as letter where {condition};

-- name: not_copied
-- Of deployments that are there; the copies of others have no topic to go to.
with next as (
  select letter.id, sum(coalesce(octet_length(letter.payload), 0)) over (order by letter.id)
    - coalesce(octet_length(letter.payload), 0) as before
  from (
    select id, payload from grnry.dead_letters
    where copied_at is null and id > %(after)s
    order by id
    limit %(limit)s
  ) as letter
)
select letter.id, letter.topic, letter.partition, letter.record_offset, letter.key, letter.payload,
  letter.header_names, letter.header_values, letter.reason, letter.sqlstate,
  persister.kind, persister.event_type
from next
join grnry.dead_letters as letter using (id)
left join grnry.persisters as persister
  on letter.deployment = 'grnry-p-' || persister.kind || '-' || persister.event_type
where next.before < %(bytes)s
order by letter.id;

-- name: copied
update grnry.dead_letters set copied_at = now() where id = any(%(ids)s);

-- name: warn
with old as (
  select id from grnry.dead_letters
  where warned_at is null and failed_at < %(before)s
  limit %(limit)s
  for update skip locked
)
update grnry.dead_letters as letter set warned_at = %(now)s
from old where letter.id = old.id
returning letter.deployment, letter.state;

-- name: expire
with old as (
  select id from grnry.dead_letters
  where failed_at < %(before)s and warned_at <= %(warned)s
  limit %(limit)s
  for update skip locked
)
delete from grnry.dead_letters as letter using old
where letter.id = old.id
returning letter.deployment, letter.state;
