-- name: event_types
-- The ages at which events of each type expire, as the latest version says.
select event_type.name, topic_name as topic, eventstore_ttl as ttl
from grnry.event_types as event_type
join grnry.event_type_versions as version
  on version.name = event_type.name and version.version = event_type.latest_version
where event_type.type = 'data_in' and phase = 'ready'
order by event_type.name;

-- name: begin
insert into grnry.expiry (event_type, again_at) values (%(event_type)s, %(again_at)s)
on conflict do nothing;

-- name: progress
select event_type, reached, again_at, again_reached, again_until
from grnry.expiry where event_type = %(event_type)s;

-- name: expired
-- The next of them behind a place, oldest first. The first condition on the time is for the index,
-- which knows nothing of the ids.
select correlation_id, event_id, created, event_type_version, event_harvester
from public.eventstore
where event_type = %(event_type)s and ttl is null
  and created >= %(created)s and created < %(before)s
  and (created, correlation_id, event_id) > (%(created)s, %(correlation_id)s, %(event_id)s)
order by created, correlation_id, event_id
limit %(limit)s;

-- name: reach
-- Only from where it was: of two reapers one is the first.
update grnry.expiry set reached = %(to)s
where event_type = %(event_type)s and reached is not distinct from %(from)s;

-- name: reach_again
update grnry.expiry set again_reached = %(to)s
where event_type = %(event_type)s and again_reached is not distinct from %(from)s;

-- name: end_round
update grnry.expiry
set again_at = %(again_at)s, again_reached = null, again_until = reached
where event_type = %(event_type)s;

-- name: former
-- Nobody hears of the events of deleted event types: they have no topic.
select name, '' as topic, eventstore_ttl as ttl from grnry.former_event_types as former
where type = 'data_in'
  and not exists (select from grnry.event_types as now where now.name = former.name)
order by name;

-- name: delete_of_former
with gone as (
  select ctid from public.eventstore
  where event_type = %(event_type)s and created < %(before)s
  order by created
  limit %(limit)s
  for update skip locked
)
delete from public.eventstore where ctid = any(array(select ctid from gone));

-- name: delete_elsewhere
-- A row's place is one within its partition.
with gone as (
  select tableoid, ctid from {table}
  where expires < %(now)s
  order by expires
  limit %(limit)s
  for update skip locked
)
delete from {table} where (tableoid, ctid) in (select tableoid, ctid from gone);

-- name: delete
-- Who is at work on a row keeps it until the next time.
with gone as (
  select ctid from public.eventstore
  where expires < %(now)s
  order by expires
  limit %(limit)s
  for update skip locked
)
delete from public.eventstore where ctid = any(array(select ctid from gone));
