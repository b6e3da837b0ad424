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
   timestamp_expression, deletion_expression, schema_document, schema_subject, source,
   physical_locations, made_by)
values
  (%(name)s, %(version)s, %(consumer)s, %(eventstore_ttl)s, %(correlation_id_expression)s,
   %(event_id_expression)s, %(timestamp_expression)s, %(deletion_expression)s,
   %(schema_document)s, %(schema_subject)s, %(source)s, %(physical_locations)s,
   %(author)s);

-- name: lock
select latest_version
from grnry.event_types
where name = %(name)s and project = %(project)s and phase = 'ready'
for update;

-- name: change
update grnry.event_types
set display_name = %(display_name)s, description = %(description)s,
  latest_version = %(version)s, modified_at = now(), modified_by = %(author)s
where name = %(name)s;

-- name: owns_topic
update grnry.event_types set owns_topic = %(owns)s where name = %(name)s;

-- name: ready
update grnry.event_types set phase = 'ready' where name = %(name)s;

-- name: deleting
update grnry.event_types set phase = 'deleting' where name = %(name)s;

-- name: hold
-- For as long as the transaction lasts, others take it as being worked on.
select from grnry.event_types where name = %(name)s for update;

-- name: give_up
-- None that somebody works on.
select owns_topic, type
from grnry.event_types
where name = %(name)s and phase <> 'ready'
for update skip locked;

-- name: remove
delete from grnry.event_types where name = %(name)s;

-- name: unfinished
select name
from grnry.event_types
where phase <> 'ready'
for update skip locked;

-- name: belongs_elsewhere
-- Whether data is stored under the name, in any case, that another project wrote.
select exists (
  select from grnry.former_event_types
  where lower(name) = lower(%(name)s) and project <> %(project)s
);

-- name: keep_former
insert into grnry.former_event_types as former (name, type, project, eventstore_ttl, schemas)
select name, type, project, (array_agg(eventstore_ttl order by version desc))[1],
  coalesce(array_agg(schema_document order by version)
    filter (where schema_document is not null), '{}')
from grnry.event_types join grnry.event_type_versions using (name)
where name = %(name)s
group by name, type, project
on conflict (name, type) do update
set eventstore_ttl = excluded.eventstore_ttl, schemas = former.schemas || excluded.schemas,
  deleted_at = now();

-- name: forget_former
delete from grnry.former_event_types where name = %(name)s and type = %(type)s;

-- name: former_types
select type from grnry.former_event_types where name = %(name)s and project = %(project)s;

-- name: former_schemas
select schemas from grnry.former_event_types where name = %(name)s and type = %(type)s;

-- name: is_taken
select exists (select from grnry.event_types where lower(name) = lower(%(name)s));

-- name: is_deleting
select exists (select from grnry.event_types where name = %(name)s and phase = 'deleting');

-- name: versions
select event_type.*, version.*,
  case version when latest_version then modified_at else made_at end as modified_at,
  case version when latest_version then modified_by else made_by end as modified_by
from grnry.event_types as event_type
join grnry.event_type_versions as version using (name)
where name = %(name)s and phase = 'ready' and (%(project)s::text is null or project = %(project)s)
order by version.version;

-- name: version
select event_type.*, version.*,
  case version when latest_version then modified_at else made_at end as modified_at,
  case version when latest_version then modified_by else made_by end as modified_by
from grnry.event_types as event_type
join grnry.event_type_versions as version using (name)
where name = %(name)s and phase = 'ready' and (%(project)s::text is null or project = %(project)s)
  and version.version = coalesce(%(version)s, latest_version);

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
