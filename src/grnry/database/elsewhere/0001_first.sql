-- What sinks keep in the database that they write: as the tables of these names in the platform's own.

create table grnry.leases (
  deployment text not null,
  topic text not null,
  partition integer not null,
  owner text,
  epoch bigint not null default 1,
  backend_pid integer,
  backend_start timestamptz,
  next_offset bigint,
  topic_id text,
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
  record_id bytea,
  is_edited boolean not null default false,
  edited_payload bytea,
  is_forced boolean not null default false,
  requested_at timestamptz,
  requested_by text,
  attempts integer not null default 0,
  last_reason text,
  last_sqlstate text,
  settled_at timestamptz,
  copied_at timestamptz,
  warned_at timestamptz,
  constraint dead_letters_state check (state in ('failed', 'queued', 'replayed', 'superseded'))
);
create unique index dead_letters_place on grnry.dead_letters
  (deployment, topic, partition, record_offset, coalesce(record_time, to_timestamp(0)));
create index dead_letters_list on grnry.dead_letters (deployment, id);
create index dead_letters_open on grnry.dead_letters (deployment, record_id)
  where record_id is not null and state in ('failed', 'queued');
create index dead_letters_queued on grnry.dead_letters
  (deployment, topic, partition, record_offset) where state = 'queued';
create index dead_letters_not_copied on grnry.dead_letters (id) where copied_at is null;
create index dead_letters_age on grnry.dead_letters (failed_at);
