-- name: look
select current_setting('server_version_num')::int as version,
  current_setting('server_encoding') as encoding,
  current_setting('transaction_read_only')::boolean as is_read_only,
  current_user::text as role,
  current_database()::text as database,
  rolsuper as is_superuser,
  rolsuper or rolcreaterole as may_make_roles,
  has_database_privilege(current_database(), 'create') as may_make_schemas,
  has_schema_privilege('public', 'create') as may_use_public,
  pg_has_role(nspowner, 'usage') as owns_public,
  exists (
    select from aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
    where grantee = 0 and privilege_type = 'CREATE'
  ) as is_public_open
from pg_catalog.pg_roles, pg_catalog.pg_namespace
where rolname = current_user and nspname = 'public';

-- name: close_public
revoke all on schema public from public;

-- name: find_role
select rolcanlogin as may_log_in,
  has_database_privilege(oid, current_database(), 'connect')
    and has_database_privilege(oid, current_database(), 'temporary') as may_connect,
  pg_has_role(oid, %(rights)s, 'usage') as has_rights
from pg_catalog.pg_roles
where rolname = %(role)s;

-- name: make_role
create role {role} nologin;

-- name: grant_rights
grant {rights} to {role};

-- name: set_password
alter role {role} login password {password};

-- name: grant_database
grant connect, temporary on database {database} to {role};
