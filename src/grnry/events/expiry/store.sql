-- name: event_types
-- The ages at which events of each type expire, as the latest version says.
select event_type.name, topic_name as topic, eventstore_ttl as ttl
from grnry.event_types as event_type
join grnry.event_type_versions as version
  on version.name = event_type.name and version.version = event_type.latest_version
where event_type.type = 'data_in' and phase = 'ready'
order by event_type.name;

-- name: begin
insert into grnry.expiry (event_type, kept_in, again_at)
select name, %(kept_in)s, %(again_at)s from grnry.event_types where name = %(event_type)s
on conflict do nothing;

-- name: progress
select event_type, reached, again_at, again_reached, again_until
from grnry.expiry where event_type = %(event_type)s and kept_in = %(kept_in)s;

-- name: expired
-- The next of them behind a place, oldest first. The first condition on the time is for the index,
-- which knows nothing of the ids. Rows that others have made may have none, and a deletion event would
-- mean all of an entity; or such as fill the memory.
select correlation_id, event_id, created, event_type_version,
  left(coalesce(event_harvester, 'na'), 1000) as event_harvester
from {rows}
where event_type = %(event_type)s and ttl is null
  and created >= %(created)s and created < %(before)s
  and (created, correlation_id, event_id) > (%(created)s, %(correlation_id)s, %(event_id)s)
  and correlation_id <> '' and event_id <> ''
  and octet_length(correlation_id) + octet_length(event_id) < 16384
order by created, correlation_id, event_id
limit %(limit)s;

-- name: reach
-- Only from where it was: of two reapers one is the first.
update grnry.expiry set reached = %(to)s
where event_type = %(event_type)s and kept_in = %(kept_in)s
  and reached is not distinct from %(from)s;

-- name: reach_again
update grnry.expiry set again_reached = %(to)s
where event_type = %(event_type)s and kept_in = %(kept_in)s
  and again_reached is not distinct from %(from)s;

-- name: end_round
update grnry.expiry
set again_at = %(again_at)s, again_reached = null, again_until = reached
where event_type = %(event_type)s and kept_in = %(kept_in)s;

-- name: former
-- Nobody hears of the events of deleted event types: they have no topic.
select name, '' as topic, eventstore_ttl as ttl from grnry.former_event_types as former
where type = 'data_in'
  and not exists (select from grnry.event_types as now where now.name = former.name)
order by name;

-- name: delete_of_former
-- The time is the server's own, as what counts is how long the rows are locked.
with gone as (
  select ctid from public.eventstore
  where event_type = %(event_type)s and created < %(before)s
  order by created
  limit %(limit)s
  for update skip locked
), deleted as (
  delete from public.eventstore where ctid = any(array(select ctid from gone)) returning 1
)
select count(*) as rows,
  extract(epoch from clock_timestamp() - statement_timestamp())::float8 as seconds
from deleted;

-- name: delete
-- Who is at work on a row keeps it until the next time. A row's place is one within its partition.
with gone as (
  select tableoid, ctid from {rows}
  where expires < %(now)s
  order by expires
  limit %(limit)s
  for update skip locked
), deleted as (
  delete from {rows} where (tableoid, ctid) in (select tableoid, ctid from gone) returning 1
)
select count(*) as rows,
  extract(epoch from clock_timestamp() - statement_timestamp())::float8 as seconds
from deleted;
