-- name: add
insert into grnry.event_types
  (name, project, type, display_name, description, replication, partition_count, retention_ms,
   topic_name, created_by, modified_by)
values
  (%(name)s, %(project)s, %(type)s, %(display_name)s, %(description)s, %(replication)s,
   %(partition_count)s, %(retention_ms)s, %(topic_name)s, %(author)s, %(author)s);

-- name: add_version
insert into grnry.event_type_versions
  (name, version, consumer, eventstore_ttl, correlation_id_expression, event_id_expression,
   timestamp_expression, deletion_expression)
values
  (%(name)s, 1, %(consumer)s, %(eventstore_ttl)s, %(correlation_id_expression)s,
   %(event_id_expression)s, %(timestamp_expression)s, %(deletion_expression)s);

-- name: owns_topic
update grnry.event_types set owns_topic = %(owns)s where name = %(name)s;

-- name: ready
update grnry.event_types set phase = 'ready' where name = %(name)s;

-- name: deleting
update grnry.event_types set phase = 'deleting' where name = %(name)s;

-- name: give_up
update grnry.event_types set phase = 'deleting' where name = %(name)s and phase <> 'ready'
returning owns_topic;

-- name: remove
delete from grnry.event_types where name = %(name)s;

-- name: unfinished
select name, project, topic_name, owns_topic
from grnry.event_types
where phase <> 'ready';

-- name: lock
select from grnry.event_types where name = %(name)s for update;

-- name: is_taken
select exists (select from grnry.event_types where lower(name) = lower(%(name)s));

-- name: versions
select event_type.*, version.*
from grnry.event_types as event_type
join grnry.event_type_versions as version using (name)
where name = %(name)s and phase = 'ready' and (%(project)s::text is null or project = %(project)s)
order by version.version;

-- name: page
-- What is left out before the page is counted in an index alone.
with page as (
  select name from grnry.event_types
  where phase = 'ready' {conditions}
  order by name
  limit %(limit)s offset %(offset)s
)
select event_type.*, version.*
from page
join grnry.event_types as event_type using (name)
join grnry.event_type_versions as version
  on version.name = event_type.name and version.version = event_type.latest_version
order by event_type.name;

-- name: count
select count(*) from grnry.event_types where phase = 'ready' {conditions};

-- name: of_project
and project = %(project)s

-- name: called
and display_name ilike %(pattern)s

-- name: consumer_roles
select distinct consumer
from grnry.event_type_versions join grnry.event_types using (name)
where project = %(project)s and consumer is not null;

-- name: make_view
create view {view} with (security_barrier) as
select correlation_id, event_id, created, message, event_type, event_type_version,
  event_harvester, partition_id, partition_offset, ttl, expires
from public.eventstore
where event_type = {name};

-- name: grant_view
grant select on {view} to {role};

-- name: relation_exists
select exists (
  select from pg_class join pg_namespace on pg_namespace.oid = relnamespace
  where nspname = %(project)s and relname = %(view)s
);

-- name: built_on_view
-- What others have built on a view: views and rules depend on it by their rewrite rule.
select distinct pg_describe_object('pg_class'::regclass, dependent.ev_class, 0) as name
from pg_depend
join pg_rewrite as dependent on dependent.oid = pg_depend.objid
join pg_class as view on view.oid = pg_depend.refobjid
join pg_namespace on pg_namespace.oid = view.relnamespace
where pg_depend.classid = 'pg_rewrite'::regclass and pg_depend.refclassid = 'pg_class'::regclass
  and nspname = %(project)s and view.relname = %(view)s and dependent.ev_class <> view.oid
order by name;

-- name: drop_view
drop view if exists {view};
