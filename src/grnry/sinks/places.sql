-- name: keep_elsewhere
insert into grnry.sink_places (deployment, name, url)
values (%(deployment)s, %(name)s, %(url)s)
on conflict (deployment) do update set name = excluded.name, url = excluded.url;

-- name: keep_here
delete from grnry.sink_places where deployment = %(deployment)s;

-- name: find
select name, url from grnry.sink_places where deployment = %(deployment)s;

-- name: all
select deployment, name, url from grnry.sink_places order by deployment;

-- name: is_made
select to_regclass('grnry.leases') is not null and to_regclass('grnry.dead_letters') is not null
  as is_made;
