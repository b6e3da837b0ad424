-- name: make_history
do $$
begin
  if to_regclass('grnry.migrations') is null then
    -- Made for us by somebody else, perhaps: "if not exists" asks for the right to make it first.
    if to_regnamespace('grnry') is null then
      create schema grnry;
    end if;
    create table grnry.migrations (
      number integer primary key,
      name text not null,
      applied_at timestamptz not null default now()
    );
  end if;
  if not exists (
    select from pg_attribute where attrelid = 'grnry.migrations'::regclass and attname = 'checksum'
  ) then
    alter table grnry.migrations add column checksum text;
  end if;
end
$$;

-- name: be_alone
-- A table that no project's role can touch. An advisory lock could be taken by anybody who logs in.
lock table grnry.migrations in share row exclusive mode;

-- name: settle
-- For this transaction: names are looked up in the catalogue; no writer is kept waiting for long by
-- a migration that itself waits for somebody's lock.
select set_config('search_path', 'pg_catalog,pg_temp', true),
  set_config('lock_timeout', '2s', true),
  set_config('statement_timeout', '0', true);

-- name: applied
select number, name, checksum from grnry.migrations order by number;

-- name: record
insert into grnry.migrations (number, name, checksum)
values (%(number)s, %(name)s, %(checksum)s);

-- name: remember
update grnry.migrations set checksum = %(checksum)s
where number = %(number)s and checksum is null;
