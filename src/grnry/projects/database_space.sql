-- name: be_alone
-- A server refuses two changes of one role, or of one database's rights, at the same time. The table
-- is one that no project's role can lock.
lock table grnry.migrations in share row exclusive mode;

-- name: role_exists
select exists (select from pg_roles where rolname = %(role)s);

-- name: make_role
create role {role} nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;

-- name: join_role
-- Before 16 there is one kind of membership; from 16 on it gives rights and no disguise.
do $$
begin
  if pg_has_role(current_user, {role_name}, 'usage') then
    return;
  elsif current_setting('server_version_num')::int >= 160000 then
    execute format('grant %I to %I with inherit true, set false', {role_name}, current_user);
  else
    execute format('grant %I to %I', {role_name}, current_user);
  end if;
end
$$;

-- name: make_schema
create schema if not exists {schema};

-- name: owner_of_schema
select nspowner::regrole::text as owner, nspowner = current_user::regrole as is_ours
from pg_namespace where nspname = %(schema)s;

-- name: take_from_all
revoke all on schema {schema} from public;

-- name: grant_schema
grant usage, create on schema {schema} to {role};

-- name: grant_database
grant connect, temporary on database {database} to {role};

-- name: limit_role
alter role {role} connection limit {connections};

-- name: set_for_role
alter role {role} in database {database} set {setting} = {value};

-- name: may_limit_files
-- From 15 on, whom a superuser lets. Before, nobody but a superuser may, and the function is missing.
select has_parameter_privilege('temp_file_limit', 'set');

-- name: limit_files
alter role {role} set temp_file_limit = {value};

-- name: keep_out
alter role {role} nologin connection limit 0;

-- name: end_sessions
select pg_terminate_backend(pid, 1000)
from pg_stat_activity
where usename = %(role)s and pid <> pg_backend_pid();

-- name: drop_owned
drop owned by {role} cascade;

-- name: drop_schema
drop schema if exists {schema} cascade;

-- name: drop_role
drop role {role};

-- name: end_overdue
-- What a role has set for itself can be set by it anew: these two limits cannot.
select pid, usename as role, state, pg_terminate_backend(pid) as ended
from pg_stat_activity
where datname = current_database() and starts_with(usename, %(prefix)s)
  and pid <> pg_backend_pid()
  and (xact_start < now() - make_interval(secs => %(transaction)s)
    or (state like 'idle in transaction%%'
      and state_change < now() - make_interval(secs => %(idle_in_transaction)s)));
