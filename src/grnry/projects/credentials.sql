-- name: may_log_in
select coalesce(bool_or(rolcanlogin), false) from pg_roles where rolname = %(role)s;

-- name: set_password
alter role {role} login password {password};
