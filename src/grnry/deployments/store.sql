-- name: save
insert into grnry.deployments (name, command, environment)
values (%(name)s, %(command)s, %(environment)s)
on conflict (name) do update set
  command = excluded.command,
  environment = excluded.environment,
  generation = deployments.generation + 1
where (deployments.command, deployments.environment)
  is distinct from (excluded.command, excluded.environment);

-- name: want
update grnry.deployments
set desired = %(desired)s, desired_at = now(),
  -- Told at once, so that nobody reads a state of before the wish.
  state = case
    when %(desired)s = 'running' and state = 'STOPPED' then 'DEPLOYING'
    when %(desired)s = 'stopped' and state in ('RUNNING', 'DEPLOYING', 'FAILED') then 'STOPPING'
    else state end
where name = %(name)s and desired <> %(desired)s;

-- name: notify
-- Says nothing but that something is wanted, as everybody who logs in can listen.
select pg_notify('grnry_deployments', '');

-- name: states
select name, desired, generation, state, message, retrying, observed_generation,
  exists (
    select from grnry.leaders as leader
    join pg_catalog.pg_stat_activity as activity
      on activity.pid = leader.backend_pid and activity.backend_start = leader.backend_start
    where leader.name = 'reconciler'
  ) as is_observed
from grnry.deployments
where name = any (%(names)s);

-- name: delete
delete from grnry.deployments where name = %(name)s;

-- name: wanted
select name, command, environment, desired, generation,
  state, message, retrying, observed_generation
from grnry.deployments;

-- name: observe
update grnry.deployments
set state = %(state)s, message = %(message)s, retrying = %(retrying)s,
  observed_generation = %(generation)s, observed_at = now()
where name = %(name)s;

-- name: is_led
select exists (
  select from grnry.leaders as leader
  join pg_catalog.pg_stat_activity as activity
    on activity.pid = leader.backend_pid and activity.backend_start = leader.backend_start
  where leader.name = 'reconciler' and activity.pid <> pg_backend_pid()
) as by_another;

-- name: be_candidate
insert into grnry.leaders (name) values ('reconciler') on conflict do nothing;

-- name: lock_leader
-- A statement of its own: sessions are looked up after the row is ours, as a session that became
-- the leader before is in the answer then.
select from grnry.leaders where name = 'reconciler' for update;

-- name: lead
update grnry.leaders as leader
set backend_pid = ours.pid, backend_start = ours.backend_start
from pg_catalog.pg_stat_activity as ours
where leader.name = 'reconciler' and ours.pid = pg_backend_pid()
  and not exists (
    select from pg_catalog.pg_stat_activity as theirs
    where theirs.pid = leader.backend_pid and theirs.backend_start = leader.backend_start
      and theirs.pid <> pg_backend_pid()
  )
returning true as is_ours;

-- name: is_made
select to_regclass('grnry.leaders') is not null as is_made;

-- name: listen
listen grnry_deployments;
