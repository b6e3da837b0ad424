-- name: find
select event_type.name as event_type
from grnry.persisters as persister
join grnry.event_types as event_type on event_type.name = persister.event_type
where event_type.project = %(project)s
  and 'grnry-p-' || persister.kind || '-' || event_type.name = %(deployment)s;

-- name: deployments
select 'grnry-p-' || persister.kind || '-' || event_type.name as deployment,
  event_type.name as event_type
from grnry.persisters as persister
join grnry.event_types as event_type on event_type.name = persister.event_type
where event_type.project = %(project)s;

-- name: kinds
select 'grnry-p-' || kind || '-' || event_type as deployment, kind, event_type
from grnry.persisters;

-- name: sources
-- The deployments of a project that have dead letters.
with known as (
  select 'grnry-p-' || persister.kind || '-' || event_type.name as deployment,
    event_type.name as event_type
  from grnry.persisters as persister
  join grnry.event_types as event_type on event_type.name = persister.event_type
  where event_type.project = %(project)s
)
select known.deployment, known.event_type, tally.state, tally.count, tally.warned, first.oldest
from known
cross join lateral (
  select state, sum(letters)::bigint as count, sum(warned)::bigint as warned
  from grnry.dead_letter_counts
  where deployment = known.deployment and reason is null
  group by state
  having sum(letters) > 0
) as tally
cross join lateral (
  select failed_at as oldest from grnry.dead_letters
  where deployment = known.deployment and state = tally.state
  order by id
  limit 1
) as first
order by known.deployment;

-- name: tally
select tally.state, tally.count, tally.warned, first.oldest
from (
  select state, sum(letters)::bigint as count, sum(warned)::bigint as warned
  from grnry.dead_letter_counts
  where deployment = %(deployment)s and reason is null
  group by state
  having sum(letters) > 0
) as tally
cross join lateral (
  select failed_at as oldest from grnry.dead_letters
  where deployment = %(deployment)s and state = tally.state
  order by id
  limit 1
) as first;

-- name: reasons
-- Counted are those that come first in any of the states. What was added since the keeper has summed up
-- may be in several rows, so more of them are looked at than are answered.
with candidate as (
  select distinct listed.reason, listed.sqlstate
  from unnest(%(states)s::text[]) as asked (state)
  cross join lateral (
    select reason, sqlstate from grnry.dead_letter_counts
    where deployment = %(deployment)s and state = asked.state and reason is not null
    order by letters desc
    limit 2 * %(limit)s
  ) as listed
)
select candidate.reason, candidate.sqlstate, counted.count
from candidate
cross join lateral (
  select sum(letters)::bigint as count from grnry.dead_letter_counts as each
  where each.deployment = %(deployment)s
    and md5(coalesce(each.reason, '')) = md5(coalesce(candidate.reason, ''))
    and each.state = any(%(states)s)
    and each.reason = candidate.reason and each.sqlstate is not distinct from candidate.sqlstate
) as counted
where counted.count > 0
order by counted.count desc, candidate.reason, candidate.sqlstate
limit %(limit)s;

-- name: count
select coalesce(sum(letters), 0)::bigint as count from grnry.dead_letter_counts
where deployment = %(deployment)s and md5(coalesce(reason, '')) = md5(%(reason)s)
  and state = any(%(states)s) and reason = %(reason)s;

-- name: sum_up
-- What is fresh becomes one row for each state and reason.
with fresh as (
  delete from grnry.dead_letter_counts
  where id in (
    select id from grnry.dead_letter_counts
    where is_fresh
    order by id
    limit %(limit)s
    for update skip locked
  )
  returning deployment, state, reason, sqlstate, letters, warned
), change as (
  select deployment, state, reason, sqlstate, sum(letters) as letters, sum(warned) as warned
  from fresh
  group by deployment, state, reason, sqlstate
), before as (
  delete from grnry.dead_letter_counts as sum
  using change
  where not sum.is_fresh and sum.deployment = change.deployment and sum.state = change.state
    and md5(coalesce(sum.reason, '')) = md5(coalesce(change.reason, ''))
    and sum.reason is not distinct from change.reason
    and sum.sqlstate is not distinct from change.sqlstate
  returning sum.deployment, sum.state, sum.reason, sum.sqlstate, sum.letters, sum.warned
), summed as (
  insert into grnry.dead_letter_counts
    (deployment, state, reason, sqlstate, letters, warned, is_fresh)
  select deployment, state, reason, sqlstate, sum(letters), sum(warned), false
  from (select * from change union all select * from before) as both_of_them
  group by deployment, state, reason, sqlstate
  having sum(letters) <> 0 or sum(warned) <> 0
)
select count(*) as count from fresh;

-- name: condition
letter.deployment = %(deployment)s and letter.state = any(%(states)s)
and (%(reason)s::text is null or coalesce(letter.last_reason, letter.reason) = %(reason)s)
and (%(partition)s::bigint is null or letter.partition = %(partition)s)
and (%(record_offset)s::bigint is null or letter.record_offset = %(record_offset)s
  -- Where a topic was made again, the later record of a place is meant.
  and not exists (
    select from grnry.dead_letters as later
    where later.deployment = letter.deployment and later.topic = letter.topic
      and later.partition = letter.partition and later.record_offset = letter.record_offset
      and later.id > letter.id
  ))

-- name: shown
letter.topic, letter.partition, letter.record_offset, letter.record_time, letter.key,
  substring(case when letter.is_edited then letter.edited_payload else letter.payload end
    from 1 for %(bytes)s) as payload,
  octet_length(case when letter.is_edited then letter.edited_payload else letter.payload end) as size,
  letter.header_names, letter.header_values,
  coalesce(letter.last_reason, letter.reason) as reason,
  case when letter.last_reason is null then letter.sqlstate else letter.last_sqlstate end as sqlstate,
  letter.reason as first_reason, letter.state, letter.attempts, letter.is_edited,
  letter.failed_at, letter.requested_at, letter.requested_by, letter.settled_at,
  -- The topic is the one that the last lease was taken of.
  coalesce(letter.topic_id <> (
    select lease.topic_id from grnry.leases as lease
    where lease.deployment = %(deployment)s and lease.topic_id is not null
    order by lease.topic_since desc nulls last
    limit 1
  ), false) as is_of_former_topic

-- name: letter
select {shown}
from grnry.dead_letters as letter
where {condition}
limit 1;

-- name: page
-- Each state in its order by an index that has nothing else, so that those before the page are not read.
with page as (
  select id from (
    (
      select id from grnry.dead_letters as letter
      where {condition} and state = 'failed' and 'failed' = any(%(states)s)
      order by id {direction}
      limit %(limit)s + %(skipped)s
    )
    union all
    (
      select id from grnry.dead_letters as letter
      where {condition} and state = 'queued' and 'queued' = any(%(states)s)
      order by id {direction}
      limit %(limit)s + %(skipped)s
    )
    union all
    (
      select id from grnry.dead_letters as letter
      where {condition} and state = 'replayed' and 'replayed' = any(%(states)s)
      order by id {direction}
      limit %(limit)s + %(skipped)s
    )
    union all
    (
      select id from grnry.dead_letters as letter
      where {condition} and state = 'superseded' and 'superseded' = any(%(states)s)
      order by id {direction}
      limit %(limit)s + %(skipped)s
    )
  ) as one
  order by id {direction}
  limit %(limit)s offset %(skipped)s
)
select {shown}
from page
join grnry.dead_letters as letter using (id)
order by letter.id;

-- name: of_deployment
deployment = %(deployment)s

-- name: of_reason
deployment = %(deployment)s and md5(coalesce(last_reason, reason)) = md5(%(reason)s)
  and coalesce(last_reason, reason) = %(reason)s

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
with next as (
  select letter.id, sum(coalesce(octet_length(letter.payload), 0)) over (order by letter.id)
    - coalesce(octet_length(letter.payload), 0) as before
  from (
    select id, payload from grnry.dead_letters
    where copied_at is null and id > %(after)s
      and (%(only)s::text is null or deployment = %(only)s)
    order by id
    limit %(limit)s
  ) as letter
)
select letter.id, letter.deployment, letter.topic, letter.partition, letter.record_offset,
  letter.key, letter.payload, letter.header_names, letter.header_values, letter.reason,
  letter.sqlstate
from next
join grnry.dead_letters as letter using (id)
where next.before < %(bytes)s
order by letter.id;

-- name: copied
update grnry.dead_letters set copied_at = now() where id = any(%(ids)s);

-- name: warn
with old as (
  select id from grnry.dead_letters
  where warned_at is null and failed_at < %(before)s
    and (%(only)s::text is null or deployment = %(only)s)
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
    and (%(only)s::text is null or deployment = %(only)s)
  limit %(limit)s
  for update skip locked
)
delete from grnry.dead_letters as letter using old
where letter.id = old.id
returning letter.deployment, letter.state;
