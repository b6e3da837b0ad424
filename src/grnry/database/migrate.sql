-- name: lock
select pg_advisory_xact_lock(%(lock)s);

-- name: make_history
do $$
begin
  if to_regclass('grnry.migrations') is null then
    create schema if not exists grnry;
    create table grnry.migrations (
      number integer primary key,
      name text not null,
      applied_at timestamptz not null default now()
    );
  end if;
end
$$;

-- name: applied
select number from grnry.migrations;

-- name: record
insert into grnry.migrations (number, name) values (%(number)s, %(name)s)
on conflict (number) do nothing;
