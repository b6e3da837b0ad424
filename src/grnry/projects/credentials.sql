-- name: role_exists
select exists (select from pg_roles where rolname = %(role)s);

-- name: make_role
create role {role} login password {password};

-- name: set_password
alter role {role} password {password};

-- name: grant_connect
grant connect, temporary on database {database} to {role};

-- name: grant_schema
grant usage, create on schema {schema} to {role};
