-- name: clear_sessions
delete from grnry.sessions where id in (
  select id from grnry.sessions where expires_at < to_timestamp(%(now)s)
  limit %(most)s for update skip locked
);

-- name: add_session
insert into grnry.sessions (user_id, client_id, rotated_at, expires_at)
values (%(user_id)s::uuid, %(client_id)s, to_timestamp(%(now)s), to_timestamp(%(expires)s))
returning id::text;

-- name: lock_session
select generation, extract(epoch from rotated_at)::float8 as rotated
from grnry.sessions
where id = %(id)s::uuid and expires_at > to_timestamp(%(now)s)
for update;

-- name: rotate_session
update grnry.sessions
set generation = %(generation)s, rotated_at = to_timestamp(%(now)s),
  expires_at = to_timestamp(%(expires)s)
where id = %(id)s::uuid;

-- name: end_session
delete from grnry.sessions where id = %(id)s::uuid;
