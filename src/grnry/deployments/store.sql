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
select pg_notify('grnry_deployments', %(name)s);

-- name: state
select desired, generation, state, message, retrying, observed_generation,
  exists (
    select from pg_locks
    where locktype = 'advisory' and granted and objsubid = 1
      and classid = (%(lock)s::bigint >> 32)::oid
      and objid = (%(lock)s::bigint & 4294967295)::oid
      and database = (select oid from pg_database where datname = current_database())
  ) as is_observed
from grnry.deployments
where name = %(name)s;

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

-- name: lock
select pg_try_advisory_lock(%(lock)s) as is_ours;

-- name: listen
listen grnry_deployments;
