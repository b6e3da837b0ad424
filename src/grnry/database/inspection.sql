-- name: server
select current_setting('server_version'), current_setting('server_version_num')::int,
  (select count(*)::int from pg_stat_activity where backend_type = 'client backend'),
  current_setting('max_connections')::int, current_setting('fsync')::bool;

-- name: roles
select rolname::text from pg_roles where rolname = any(%(names)s);

-- name: has_history
select exists (
  select from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'grnry' and c.relname = 'migrations'
    and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
);

-- name: newest_migration
select coalesce(max(number), 0)::int from grnry.migrations;
