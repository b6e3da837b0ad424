-- name: lock
-- One is made at a time: names are chosen by what is there.
lock table grnry.projects in share row exclusive mode;

-- name: is_taken
-- By a project, a client, a schema, or the role of a project of another Granary beside this one.
select exists (select from grnry.projects where lower(name) = lower(%(name)s))
  or exists (select from grnry.clients where lower(client_id) = lower(%(name)s))
  or exists (select from pg_namespace where lower(nspname) = lower(%(name)s))
  or exists (select from pg_roles where lower(rolname) = lower(%(role)s));

-- name: add
insert into grnry.projects (name, display_name, description, created_by, modified_by)
values (%(name)s, %(display_name)s, %(description)s, %(author)s, %(author)s);

-- name: find
select name, display_name, description, created_at, created_by, modified_at, modified_by
from grnry.projects
where name = %(name)s;

-- name: find_for_change
select name, display_name, description, created_at, created_by, modified_at, modified_by
from grnry.projects
where name = %(name)s
for update;

-- name: change
update grnry.projects
set display_name = %(display_name)s, description = %(description)s,
  modified_at = now(), modified_by = %(author)s
where name = %(name)s;

-- name: exists
select exists (select from grnry.projects where name = %(name)s);

-- name: names
select name from grnry.projects order by name;

-- name: page
select name, display_name, description, created_at, created_by, modified_at, modified_by
from grnry.projects
where name = any(%(names)s)
order by name
limit %(limit)s offset %(offset)s;

-- name: count
select count(*) from grnry.projects where name = any(%(names)s);

-- name: members
select id::text, username, users.name, email, roles
from (
  select user_id, array_agg(role order by role) as roles
  from grnry.user_roles
  where client = %(project)s
  group by user_id
) as given
join grnry.users on users.id = user_id
order by lower(username)
limit %(limit)s offset %(offset)s;

-- name: count_members
select count(distinct user_id) from grnry.user_roles where client = %(project)s;

-- name: member
select id::text, username, name, email,
  array(
    select role from grnry.user_roles
    where user_id = users.id and client = %(project)s order by role
  ) as roles
from grnry.users
where id = %(id)s::uuid;

-- name: take_roles
delete from grnry.user_roles where user_id = %(id)s::uuid and client = %(project)s;

-- name: other_owners
-- Who could give roles of the project still.
select exists (
  select from grnry.user_roles join grnry.users on users.id = user_id
  where client = %(project)s and role = %(role)s and enabled and user_id <> %(id)s::uuid
);
