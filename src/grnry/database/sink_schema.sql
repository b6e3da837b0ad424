-- name: look
select current_setting('server_version_num')::int as version,
  current_setting('server_encoding') as encoding,
  current_setting('transaction_read_only')::boolean as is_read_only,
  current_user::text as role,
  current_database()::text as database,
  rolsuper as is_superuser,
  exists (
    select from pg_class
    where relnamespace = to_regnamespace('grnry') and relname = 'event_types'
  ) as is_granary,
  to_regnamespace('grnry') is not null as has_schema,
  has_database_privilege(current_database(), 'create') as may_make_schemas,
  has_database_privilege(current_database(), 'temporary') as may_make_temporary
from pg_catalog.pg_roles
where rolname = current_user;

-- name: rights
select coalesce(bool_and(has_table_privilege(pg_class.oid, wanted)), true)
  and has_schema_privilege('grnry', 'usage') as has_rights
from pg_class
cross join unnest(array['select', 'insert', 'update', 'delete']) as wanted
where relnamespace = 'grnry'::regnamespace and relname in ('leases', 'dead_letters');

-- name: grants
grant connect, temporary, create on database {database} to {role};
