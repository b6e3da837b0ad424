-- name: add_live
insert into grnry.persisters (event_type, kind, app_config, deployer_config)
values (%(event_type)s, 'live-segment', %(app_config)s, '{}');

-- name: find_live
select persister.event_type, event_type.project, event_type.topic_name as topic,
  event_type.partition_count, persister.app_config, persister.last_updated
from grnry.persisters as persister
join grnry.event_types as event_type on event_type.name = persister.event_type
where persister.event_type = %(event_type)s and event_type.project = %(project)s
  and event_type.phase = 'ready' and persister.kind = 'live-segment';

-- name: lock_live
select from grnry.persisters where event_type = %(event_type)s for update;

-- name: change_live
update grnry.persisters
set app_config = %(app_config)s,
  -- Its entity tag, so that two changes within a microsecond have two.
  last_updated = greatest(clock_timestamp(), last_updated + interval '1 microsecond')
where event_type = %(event_type)s;
