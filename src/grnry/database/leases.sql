-- name: end_owners
-- A process number is used again in time, so the backend's start is compared as well.
select pg_terminate_backend(activity.pid, 5000)
from grnry.leases as lease
join unnest(%(topics)s::text[], %(partitions)s::int[]) as place (topic, partition)
  on lease.topic = place.topic and lease.partition = place.partition
join pg_stat_activity as activity
  on (activity.pid, activity.backend_start) in (
    (lease.backend_pid, lease.backend_start), (lease.second_pid, lease.second_start))
where lease.deployment = %(deployment)s and activity.pid <> pg_backend_pid()
group by activity.pid;

-- name: end_own_sessions
-- Of the same owner only: what it left behind when its connection broke.
select pg_terminate_backend(activity.pid, 5000)
from grnry.leases as lease
join pg_stat_activity as activity
  on (activity.pid, activity.backend_start) in (
    (lease.backend_pid, lease.backend_start), (lease.second_pid, lease.second_start))
where lease.deployment = %(deployment)s and lease.owner = %(owner)s
  and activity.pid <> pg_backend_pid()
group by activity.pid;

-- name: has_room
-- Who else is connected is all that we may see of others; what has no database is the server's own.
select count(*) * 2 <= current_setting('max_connections')::int as has_room
from pg_stat_activity where datid is not null;

-- name: add_session
-- Only for who still holds them: a session that the next owner does not know of would be in its way.
update grnry.leases as lease
set second_pid = activity.pid, second_start = activity.backend_start
from unnest(%(topics)s::text[], %(partitions)s::int[], %(epochs)s::bigint[])
  as place (topic, partition, epoch), pg_stat_activity as activity
where activity.pid = pg_backend_pid()
  and lease.deployment = %(deployment)s
  and lease.topic = place.topic and lease.partition = place.partition
  and lease.epoch = place.epoch
returning lease.topic, lease.partition;

-- name: break_off_waiting
select pg_cancel_backend(pid) from pg_stat_activity
where pid = any(%(pids)s) and wait_event_type = 'Lock';

-- name: was_made_again
select exists (
  select from grnry.leases as lease
  join unnest(%(topics)s::text[], %(partitions)s::int[]) as place (topic, partition)
    on lease.topic = place.topic and lease.partition = place.partition
  where lease.deployment = %(deployment)s and lease.topic_id <> %(topic_id)s
) as was_made_again;

-- name: take
-- Offsets of another topic that had the same name say nothing about this one.
insert into grnry.leases
  (deployment, topic, partition, owner, backend_pid, backend_start, topic_id, topic_since)
select %(deployment)s, place.topic, place.partition, %(owner)s, activity.pid,
  activity.backend_start, %(topic_id)s, case when %(topic_id)s::text is not null then now() end
from unnest(%(topics)s::text[], %(partitions)s::int[]) as place (topic, partition),
  pg_stat_activity as activity
where activity.pid = pg_backend_pid()
order by place.topic, place.partition
on conflict (deployment, topic, partition) do update set
  owner = excluded.owner,
  epoch = leases.epoch + 1,
  backend_pid = excluded.backend_pid,
  backend_start = excluded.backend_start,
  next_offset = case when leases.topic_id <> excluded.topic_id then null
    else leases.next_offset end,
  leader_epoch = case when leases.topic_id <> excluded.topic_id then null
    else leases.leader_epoch end,
  topic_id = coalesce(excluded.topic_id, leases.topic_id),
  topic_since = case when leases.topic_id = coalesce(excluded.topic_id, leases.topic_id)
    then leases.topic_since else excluded.topic_since end
returning topic, partition, epoch, next_offset, leader_epoch;

-- name: reclaim
-- After a broken connection: only what nobody has taken over meanwhile.
update grnry.leases as lease
set epoch = lease.epoch + 1,
  backend_pid = activity.pid,
  backend_start = activity.backend_start
from unnest(%(topics)s::text[], %(partitions)s::int[]) as place (topic, partition),
  pg_stat_activity as activity
where activity.pid = pg_backend_pid()
  and lease.deployment = %(deployment)s and lease.owner = %(owner)s
  and lease.topic = place.topic and lease.partition = place.partition
returning lease.topic, lease.partition, lease.epoch, lease.next_offset, lease.leader_epoch;

-- name: release
update grnry.leases as lease
set owner = null, backend_pid = null, backend_start = null, epoch = epoch + 1
from unnest(%(topics)s::text[], %(partitions)s::int[]) as place (topic, partition)
where lease.deployment = %(deployment)s and lease.owner = %(owner)s
  and lease.backend_pid = pg_backend_pid()
  and lease.topic = place.topic and lease.partition = place.partition;

-- name: hold
select lease.topic, lease.partition
from grnry.leases as lease
join unnest(%(topics)s::text[], %(partitions)s::int[], %(epochs)s::bigint[])
  as place (topic, partition, epoch)
  on lease.topic = place.topic and lease.partition = place.partition
    and lease.epoch = place.epoch
where lease.deployment = %(deployment)s
order by lease.topic, lease.partition
for update of lease;

-- name: move
update grnry.leases as lease
set next_offset = place.next_offset, leader_epoch = place.leader_epoch
from unnest(%(topics)s::text[], %(partitions)s::int[], %(epochs)s::bigint[], %(offsets)s::bigint[],
    %(leader_epochs)s::int[])
  as place (topic, partition, epoch, next_offset, leader_epoch)
where lease.deployment = %(deployment)s
  and lease.topic = place.topic and lease.partition = place.partition
  and lease.epoch = place.epoch
returning lease.topic, lease.partition;

-- name: must_move
-- The same where nobody reads the answer: it fails, with all that would follow, where the epochs
-- are others' by now.
with moved as ({move})
select 1 / (count(*) = cardinality(%(partitions)s::int[]))::integer from moved;
