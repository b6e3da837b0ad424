-- All kinds of event types, their versions, and the profile store that one kind looks at.

alter table grnry.event_type_versions
  add column schema_document text,
  add column schema_subject text,
  add column source jsonb,
  add column physical_locations jsonb;

-- Whom the stored data of a deleted event type belongs to, and when it expires.
create table grnry.former_event_types (
  name text primary key,
  project text not null references grnry.projects,
  type text not null,
  eventstore_ttl text not null,
  deleted_at timestamptz not null default now()
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
