-- name: add
insert into grnry.persisters (event_type, kind, app_config, deployer_config)
values (%(event_type)s, 'pg', %(app_config)s, %(deployer_config)s);

-- name: find
select persister.event_type, event_type.project, event_type.topic_name as topic,
  persister.app_version, persister.app_config, persister.deployer_config, persister.last_updated,
  persister.id
from grnry.persisters as persister
join grnry.event_types as event_type on event_type.name = persister.event_type
where persister.event_type = %(event_type)s and event_type.project = %(project)s
  and event_type.phase = 'ready' and persister.kind = 'pg';

-- name: all
select persister.event_type, event_type.project, event_type.topic_name as topic,
  persister.app_version, persister.app_config, persister.deployer_config, persister.last_updated,
  persister.id
from grnry.persisters as persister
join grnry.event_types as event_type on event_type.name = persister.event_type
where event_type.phase = 'ready' and persister.kind = 'pg'
order by persister.event_type;

-- name: lock
select from grnry.persisters where event_type = %(event_type)s for update;

-- name: change
update grnry.persisters
set app_version = %(app_version)s, app_config = %(app_config)s,
  deployer_config = %(deployer_config)s,
  -- Its entity tag, so that two changes within a microsecond have two.
  last_updated = greatest(clock_timestamp(), last_updated + interval '1 microsecond')
where event_type = %(event_type)s;

-- name: id_of
select id from grnry.persisters where event_type = %(event_type)s;

-- name: offsets
select topic, partition, next_offset from grnry.leases where deployment = %(deployment)s;

-- name: dead_letters
-- What was stored since, or is superseded, is done with.
select coalesce(sum(letters), 0)::bigint from grnry.dead_letter_counts
where deployment = %(deployment)s and reason is null and state in ('failed', 'queued');

-- name: forget
delete from grnry.leases where deployment = %(deployment)s;

-- name: forget_dead_letters
-- There is nobody to replay them, and one of the same name would take their places for its own.
delete from grnry.dead_letters where deployment = %(deployment)s;
