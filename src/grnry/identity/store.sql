-- name: lock_keys
lock table grnry.signing_keys in share row exclusive mode;

-- name: list_keys
select kid, private_pem, extract(epoch from created_at)::float8 as created
from grnry.signing_keys
order by created_at desc, kid;

-- name: add_key
insert into grnry.signing_keys (kid, private_pem) values (%(kid)s, %(private_pem)s);

-- name: drop_superseded_keys
-- A key signs nothing any more once a younger one is published; it verifies for a while longer.
delete from grnry.signing_keys
where created_at < (
  select max(created_at) from grnry.signing_keys
  where created_at < now() - make_interval(secs => %(grace)s)
);

-- name: find_user
-- Who may log in with a password.
select id::text, username, name, email, password_hash, enabled, claimed,
  extract(epoch from sessions_since)::float8 as sessions_since
from grnry.users
where lower(username) = lower(%(username)s) and not service_account;

-- name: get_user
select id::text, username, name, email, password_hash, enabled, claimed,
  extract(epoch from sessions_since)::float8 as sessions_since
from grnry.users
where id = %(id)s::uuid;

-- name: add_user
insert into grnry.users (username, name, email, password_hash)
values (%(username)s, %(name)s, %(email)s, %(password_hash)s)
on conflict do nothing;

-- name: set_unclaimed_password
update grnry.users set password_hash = %(password_hash)s
where id = %(id)s::uuid and not claimed;

-- name: claim_user
update grnry.users set claimed = true where id = %(id)s::uuid and not claimed;

-- name: list_roles
select client, role from grnry.user_roles where user_id = %(id)s::uuid;

-- name: grant_role
insert into grnry.user_roles (user_id, client, role)
values (%(id)s::uuid, %(client)s, %(role)s)
on conflict do nothing;

-- name: find_client
select client_id, secret_sha256, acts_as::text, password_logins,
  coalesce(users.service_account, false) as service_account
from grnry.clients left join grnry.users on users.id = acts_as
where client_id = %(client_id)s;

-- name: list_clients
select client_id, secret_sha256, acts_as::text, password_logins,
  coalesce(users.service_account, false) as service_account
from grnry.clients left join grnry.users on users.id = acts_as
order by client_id;

-- name: add_service_user
-- An empty hash matches no password.
insert into grnry.users (username, name, password_hash, service_account, claimed)
values ('service-account-' || %(client_id)s, %(client_id)s, '', true, true)
returning id::text;

-- name: add_confidential_client
insert into grnry.clients (client_id, secret_sha256, acts_as)
values (%(client_id)s, %(secret_sha256)s, %(acts_as)s::uuid);

-- name: set_client_secret
update grnry.clients set secret_sha256 = %(secret_sha256)s
where client_id = %(client_id)s
  and acts_as in (select id from grnry.users where service_account);

-- name: delete_service_user
-- The client goes with the user it acts as.
delete from grnry.users
where service_account
  and id = (select acts_as from grnry.clients where client_id = %(client_id)s);

-- name: list_projects
select name from grnry.projects order by name;

-- name: add_public_client
insert into grnry.clients (client_id, password_logins) values (%(client_id)s, true)
on conflict do nothing;

-- name: set_confidential_client
insert into grnry.clients (client_id, secret_sha256, acts_as)
values (%(client_id)s, %(secret_sha256)s, %(acts_as)s::uuid)
on conflict (client_id) do update
set secret_sha256 = excluded.secret_sha256, acts_as = excluded.acts_as;

-- name: database_time
select extract(epoch from now())::float8;
