-- What one machine needs for the first whole way: identity, projects, event types, persisters,
-- deployments, leases, dead letters, and the event store.

-- Identity -------------------------------------------------------------------------------------

create table grnry.signing_keys (
  kid text primary key,
  private_pem text not null,
  created_at timestamptz not null default now()
);

create table grnry.users (
  id uuid primary key default gen_random_uuid(),
  username text not null,
  name text not null,
  email text not null default '',
  password_hash text not null,
  enabled boolean not null default true,
  -- Whether somebody has logged in with the password; until then the first start may set it anew.
  claimed boolean not null default false,
  -- Refresh tokens made before this are void: it moves when the password changes.
  sessions_since timestamptz not null default now(),
  created_at timestamptz not null default now()
);
create unique index users_username on grnry.users (lower(username));

create table grnry.clients (
  client_id text primary key,
  -- A digest: secrets are random and long, so a slow hash adds nothing.
  secret_sha256 bytea,
  -- Whose name and roles its own tokens carry (client_credentials).
  acts_as uuid references grnry.users on delete cascade,
  password_logins boolean not null default false
);

create table grnry.user_roles (
  user_id uuid not null references grnry.users on delete cascade,
  client text not null,
  role text not null,
  primary key (user_id, client, role)
);

-- Projects and event types ---------------------------------------------------------------------

create table grnry.projects (
  name text primary key,
  display_name text not null,
  description text not null default '',
  created_at timestamptz not null default now()
);
insert into grnry.projects (name, display_name) values ('global', 'global');
create schema global;

create table grnry.event_types (
  name text primary key,
  project text not null references grnry.projects,
  type text not null,
  display_name text not null,
  description text not null default '',
  replication integer not null,
  partition_count integer not null,
  retention_ms bigint not null,
  topic_name text,
  -- Creation and deletion span the log and the database: what is not 'ready' is finished or undone.
  phase text not null default 'creating' check (phase in ('creating', 'ready', 'deleting')),
  owns_topic boolean not null default false,
  created_at timestamptz not null default now(),
  created_by jsonb not null,
  modified_at timestamptz not null default now(),
  modified_by jsonb not null,
  latest_version integer not null default 1
);
create unique index event_types_name on grnry.event_types (lower(name));
create unique index event_types_display_name on grnry.event_types (project, lower(display_name));

create table grnry.event_type_versions (
  name text not null references grnry.event_types on delete cascade,
  version integer not null,
  consumer text,
  eventstore_ttl text not null,
  correlation_id_expression text,
  event_id_expression text,
  timestamp_expression text,
  deletion_expression text,
  primary key (name, version)
);

-- Deployments ----------------------------------------------------------------------------------

create table grnry.deployments (
  name text primary key,
  command text[] not null,
  environment jsonb not null default '{}',
  replicas integer not null default 1,
  desired text not null default 'stopped' check (desired in ('stopped', 'running')),
  -- Moves when what should run changes; the reconciler replaces what runs an older one.
  generation bigint not null default 1,
  desired_at timestamptz not null default now(),
  state text not null default 'STOPPED',
  message text not null default '',
  retrying boolean not null default false,
  observed_generation bigint not null default 0,
  observed_at timestamptz not null default now()
);

create table grnry.persisters (
  event_type text primary key references grnry.event_types on delete cascade,
  kind text not null check (kind in ('pg')),
  app_version text not null default 'latest',
  app_config jsonb not null,
  deployer_config jsonb not null,
  last_updated timestamptz not null default now()
);

-- A row per deployment and partition: who may write, and from where it goes on. The sink moves the
-- offset in the transaction that stores the rows, so the two never disagree.
create table grnry.leases (
  deployment text not null,
  topic text not null,
  partition integer not null,
  owner text,
  epoch bigint not null default 1,
  backend_pid integer,
  backend_start timestamptz,
  next_offset bigint,
  primary key (deployment, topic, partition)
) with (fillfactor = 40);

create table grnry.dead_letters (
  id bigint generated always as identity primary key,
  deployment text not null,
  topic text not null,
  partition integer not null,
  record_offset bigint not null,
  record_time timestamptz,
  key bytea,
  payload bytea,
  header_names text[] not null default '{}',
  header_values bytea[] not null default '{}',
  reason text not null,
  sqlstate text,
  state text not null default 'failed',
  failed_at timestamptz not null default now(),
  unique (deployment, topic, partition, record_offset)
);

-- Stores ---------------------------------------------------------------------------------------

create table public.eventstore (
  correlation_id varchar not null,
  event_id varchar not null,
  created bigint not null,
  message jsonb,
  event_type varchar not null default 'na',
  event_type_version integer,
  event_harvester varchar not null default 'na',
  partition_id bigint not null,
  partition_offset bigint not null,
  ttl varchar,
  expires bigint,
  primary key (event_type, correlation_id, event_id)
);

-- Who may do what: workers write the stores and their own places, and see nothing else.
revoke all on schema public from public;
revoke all on schema grnry from public;
grant usage on schema grnry, public to grnry_worker;
grant select, insert, update, delete on grnry.leases to grnry_worker;
grant select, insert on grnry.dead_letters to grnry_worker;
grant select, insert, update on public.eventstore to grnry_worker;
