-- name: page
-- Service accounts are no people: they are listed as clients.
select id::text, username, name, email, enabled, created_at
from grnry.users
where not service_account
order by lower(username)
limit %(limit)s offset %(offset)s;

-- name: count
select count(*) from grnry.users where not service_account;

-- name: search
-- All users are read once where there is no index, and so is what is found; a row without a user
-- says how many there are where the page is past the end.
with found as materialized (
  select id, lower(username) as key
  from grnry.users
  where searched like lower(%(pattern)s) collate "C" and not service_account
),
page as (
  select id, key from found order by key limit %(limit)s offset %(offset)s
)
select total, users.id::text, username, name, email, enabled, created_at
from (select count(*) as total from found) as counted
left join page on true
left join grnry.users on users.id = page.id
order by page.key;

-- name: find
select id::text, username, name, email, enabled, created_at
from grnry.users
where id = %(id)s::uuid;

-- name: find_for_change
select id::text, username, name, email, enabled, created_at
from grnry.users
where id = %(id)s::uuid
for update;

-- name: password_hash
select password_hash from grnry.users where id = %(id)s::uuid;

-- name: is_service_account
select service_account from grnry.users where id = %(id)s::uuid;

-- name: add
insert into grnry.users (username, name, email, password_hash, claimed)
values (%(username)s, %(name)s, %(email)s, %(password_hash)s, true)
on conflict do nothing
returning id::text, username, name, email, enabled, created_at;

-- name: change
update grnry.users
set name = %(name)s, email = %(email)s, enabled = %(enabled)s
where id = %(id)s::uuid;

-- name: set_password
-- Whoever is logged in by the old one is not for longer than their access token lives.
update grnry.users
set password_hash = %(password_hash)s, claimed = true, sessions_since = clock_timestamp()
where id = %(id)s::uuid;

-- name: delete
delete from grnry.users where id = %(id)s::uuid;

-- name: clients_of
select client_id from grnry.clients where acts_as = %(id)s::uuid order by client_id;

-- name: revoke
delete from grnry.user_roles
where user_id = %(id)s::uuid and client = %(client)s and role = %(role)s;

-- name: lock_roles
lock table grnry.user_roles in share row exclusive mode;

-- name: other_holders
select exists (
  select from grnry.user_roles join grnry.users on users.id = user_id
  where client = %(client)s and role = %(role)s and enabled and user_id <> %(id)s::uuid
);

-- name: is_project
select exists (select from grnry.projects where name = %(name)s);
