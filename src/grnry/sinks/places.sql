-- name: keep_elsewhere
insert into grnry.sink_places (deployment, name, url, table_schema, table_name)
values (%(deployment)s, %(name)s, %(url)s, %(table_schema)s, %(table_name)s)
on conflict (deployment) do update set name = excluded.name, url = excluded.url,
  table_schema = excluded.table_schema, table_name = excluded.table_name;

-- name: keep_here
delete from grnry.sink_places where deployment = %(deployment)s;

-- name: find
select name, url, table_schema, table_name from grnry.sink_places where deployment = %(deployment)s;

-- name: all
select deployment, name, url, table_schema, table_name from grnry.sink_places order by deployment;

-- name: is_made
select to_regclass('grnry.leases') is not null and to_regclass('grnry.dead_letters') is not null
  as is_made;

-- name: wait_briefly
-- Whoever has locked a table of their own holds up nothing but what is done there.
set local lock_timeout = '1s';
