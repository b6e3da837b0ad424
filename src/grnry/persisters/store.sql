-- name: add
insert into grnry.persisters (event_type, kind, app_config, deployer_config)
values (%(event_type)s, %(kind)s, %(app_config)s, %(deployer_config)s);

-- name: find
select persister.event_type, event_type.project, persister.app_version, persister.app_config,
  persister.deployer_config, persister.last_updated
from grnry.persisters as persister
join grnry.event_types as event_type on event_type.name = persister.event_type
where persister.event_type = %(event_type)s and event_type.project = %(project)s
  and event_type.phase = 'ready' and persister.kind = 'pg';

-- name: forget
delete from grnry.leases where deployment = %(deployment)s;
