-- name: save
insert into grnry.deployments (name, command, environment, replicas, resources)
values (%(name)s, %(command)s, %(environment)s, %(replicas)s, %(resources)s)
on conflict (name) do update set
  command = excluded.command,
  environment = excluded.environment,
  replicas = excluded.replicas,
  resources = excluded.resources,
  generation = deployments.generation + 1
where (deployments.command, deployments.environment, deployments.replicas, deployments.resources)
  is distinct from
  (excluded.command, excluded.environment, excluded.replicas, excluded.resources);

-- name: start
-- Of one that was given up as well: it is tried again.
update grnry.deployments
set desired = 'running', desired_at = now(), run = run + 1,
  -- Told at once, so that nobody reads a state of before the wish.
  state = 'DEPLOYING', message = '', retrying = false
where name = %(name)s and (desired <> 'running' or state = 'FAILED' and not retrying);

-- name: restart
update grnry.deployments
set desired = 'running', desired_at = now(), run = run + 1,
  state = 'DEPLOYING', message = '', retrying = false
where name = %(name)s;

-- name: stop
update grnry.deployments
set desired = 'stopped', desired_at = now(), message = '', retrying = false,
  state = case when state = 'STOPPED' then state else 'STOPPING' end
where name = %(name)s and desired <> 'stopped';

-- name: notify
-- Says nothing but that something is wanted, as everybody who logs in can listen.
select pg_notify('grnry_deployments', '');

-- name: states
select name, desired, generation, run, state, message, retrying, observed_generation, observed_run,
  exists (
    select from grnry.leaders as leader
    join pg_catalog.pg_stat_activity as activity
      on activity.pid = leader.backend_pid and activity.backend_start = leader.backend_start
    where leader.name = 'reconciler'
  ) as is_observed
from grnry.deployments
where name = any(%(names)s);

-- name: delete
delete from grnry.deployments where name = %(name)s;

-- name: wanted
select name, command, environment, desired, generation, run, replicas, resources,
  state, message, retrying, observed_generation, observed_run, saved
from grnry.deployments;

-- name: observe
-- A wish that was made since is told by the state that it left, until it is read and acted on.
update grnry.deployments
set state = %(state)s, message = %(message)s, retrying = %(retrying)s,
  observed_generation = %(generation)s, observed_run = %(run)s, saved = %(saved)s,
  observed_at = now()
where name = %(name)s and (run, desired) = (%(wanted_run)s, %(desired)s);

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
-- Whether the API has migrated to what this version reads.
select exists (
  select from pg_catalog.pg_attribute
  where attrelid = to_regclass('grnry.deployments') and attname = 'saved' and not attisdropped
) as is_made;

-- name: listen
listen grnry_deployments;
