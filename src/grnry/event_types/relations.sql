-- name: make_event_view
create view {view} with (security_barrier) as
select correlation_id, event_id, created, message, event_type, event_type_version,
  event_harvester, partition_id, partition_offset, ttl, expires
from public.eventstore
where event_type = {name};

-- name: make_profile_view
create view {view} with (security_barrier) as
select correlation_id, profile_type, path, pit, value, certainty, grain_type, inserted, ttl, ttn,
  reader, origin
from public.profilestore
where profile_type = {name};

-- name: grant_view
grant select on {view} to {role};

-- name: relation_exists
select exists (
  select from pg_class join pg_namespace on pg_namespace.oid = relnamespace
  where nspname = %(project)s and relname = %(relation)s
);

-- name: built_on_view
-- What others have built on a view: views and rules depend on it by their rewrite rule.
select distinct pg_describe_object('pg_class'::regclass, dependent.ev_class, 0) as name
from pg_depend
join pg_rewrite as dependent on dependent.oid = pg_depend.objid
join pg_class as view on view.oid = pg_depend.refobjid
join pg_namespace on pg_namespace.oid = view.relnamespace
where pg_depend.classid = 'pg_rewrite'::regclass and pg_depend.refclassid = 'pg_class'::regclass
  and nspname = %(project)s and view.relname = %(relation)s and dependent.ev_class <> view.oid
order by name;

-- name: drop_view
drop view if exists {view};

-- name: purge_events
delete from public.eventstore
where ctid = any (array(
  select ctid from public.eventstore where event_type = %(name)s limit %(limit)s
));

-- name: purge_grains
delete from public.profilestore
where ctid = any (array(
  select ctid from public.profilestore where profile_type = %(name)s limit %(limit)s
));

-- name: has_events
select exists (select from public.eventstore where event_type = %(name)s);

-- name: has_grains
select exists (select from public.profilestore where profile_type = %(name)s);
