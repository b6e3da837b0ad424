-- Deployments may write into another database than this one; what is kept of them lies there then.

-- A name for each that no other has or had, as several Granaries may write into one database.
alter table grnry.persisters add column id uuid not null default gen_random_uuid();

create table grnry.sink_places (
  deployment text primary key references grnry.deployments on delete cascade,
  -- What its leases and dead letters are called there.
  name text not null,
  -- The table that it writes there.
  table_schema text not null,
  table_name text not null,
  -- With the login, so nobody but the platform's role reads it.
  url text not null
);
