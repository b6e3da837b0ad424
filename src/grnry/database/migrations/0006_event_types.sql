-- All kinds of event types, their versions, and the profile store that one kind looks at.

alter table grnry.event_type_versions
  add column schema_document text,
  add column schema_subject text,
  add column source jsonb,
  add column physical_locations jsonb,
  add column made_at timestamptz not null default now(),
  add column made_by jsonb not null default '{}';
update grnry.event_type_versions as version
set made_at = created_at, made_by = created_by
from grnry.event_types as event_type
where event_type.name = version.name;

-- The newest events of a type, and what has expired. The key serves one entity of given types.
create index eventstore_newest on public.eventstore (event_type, created);
create index eventstore_expiry on public.eventstore (expires) where expires is not null;

-- Whom the stored data of a deleted event type belongs to, and when it expires.
create table grnry.former_event_types (
  name text not null,
  type text not null,
  project text not null references grnry.projects,
  eventstore_ttl text not null,
  -- All versions of its schema, in their order: the table that is left was made by them.
  schemas text[] not null default '{}',
  deleted_at timestamptz not null default now(),
  primary key (name, type)
);
create index former_event_types_name on grnry.former_event_types (lower(name));

create table public.profilestore (
  correlation_id varchar not null,
  profile_type varchar not null default '_d',
  path varchar not null,
  pit varchar not null default '_latest',
  value jsonb not null,
  certainty real not null default 1.0,
  grain_type "char" not null check (grain_type in ('t', 'a', 'c')),
  inserted bigint not null,
  ttl varchar not null default 'P100Y',
  ttn varchar not null default 'P100Y',
  reader varchar not null default '_auth',
  origin varchar,
  primary key (correlation_id, profile_type, path, pit)
);
create index profilestore_type on public.profilestore (profile_type);

-- Persisters of live segments follow the versions of the schema by themselves.
grant select (name, version, schema_document) on grnry.event_type_versions to grnry_worker;
alter table grnry.persisters drop constraint persisters_kind_check,
  add constraint persisters_kind_check check (kind in ('pg', 'live-segment'));
