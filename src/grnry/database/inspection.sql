-- name: server
select current_setting('server_version'), current_setting('server_version_num')::int,
  (select count(*)::int from pg_stat_activity where backend_type = 'client backend'),
  current_setting('max_connections')::int, current_setting('fsync')::bool;

-- name: roles
select rolname::text from pg_roles where rolname = any(%(names)s);

-- name: has_history
select to_regclass('grnry.migrations') is not null;

-- name: newest_migration
select coalesce(max(number), 0)::int from grnry.migrations;
