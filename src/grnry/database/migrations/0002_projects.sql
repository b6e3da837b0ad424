-- Projects are made by users: who made them and when, and names that differ by more than case.

alter table grnry.projects
  add column created_by jsonb not null default '{"name": "grnry", "email": ""}',
  add column modified_at timestamptz not null default now(),
  add column modified_by jsonb not null default '{"name": "grnry", "email": ""}';
create unique index projects_lower_name on grnry.projects (lower(name));

-- Users are searched by any part of what they are called. One text, compared byte by byte, as
-- reading all of them has to be fast enough where the index below cannot be made.
alter table grnry.users
  add column searched text collate "C" generated always as
    (lower(username) || chr(10) || lower(name) || chr(10) || lower(email)) stored;
create index user_roles_client on grnry.user_roles (client, user_id);

do $$
begin
  create extension if not exists pg_trgm schema grnry;
  create index users_searched on grnry.users using gin (searched grnry.gin_trgm_ops);
exception
  -- Not installed, made in another schema, or not ours to make.
  when feature_not_supported or undefined_file or undefined_object or insufficient_privilege then
  raise notice 'Users are searched without an index: %', sqlerrm;
end
$$;

-- A new role, for whom could do all until now.
insert into grnry.user_roles (user_id, client, role)
select user_id, client, 'user_manager' from grnry.user_roles
where client = 'project-api' and role = 'project_creator'
on conflict do nothing;
