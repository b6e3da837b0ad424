-- name: versions
select version, schema_document
from grnry.event_type_versions
where name = %(event_type)s
order by version;

-- name: latest_version
select max(version) as version from grnry.event_type_versions where name = %(event_type)s;

-- name: can_write
select coalesce(has_table_privilege(oid, 'select, insert, update, delete')
  and relowner <> current_user::regrole, false) as can_write
from (select to_regclass(%(table)s) as found) as named
left join pg_class on pg_class.oid = found;

-- name: hold
lock table {table} in row exclusive mode;

-- name: make_waiting
create temporary table if not exists {waiting} ({columns}) on commit delete rows;

-- name: copy_waiting
copy pg_temp.{waiting} ({names}) from stdin (format binary);

-- name: empty_waiting
delete from pg_temp.{waiting};

-- name: upsert
insert into {table} ({names})
select {values} from pg_temp.{waiting}
on conflict (id) do update set {changes};

-- name: insert_ids
insert into {table} (id)
select {values} from pg_temp.{waiting}
on conflict (id) do nothing;

-- name: stored
-- As they were asked for, which may be another form of the same id.
select wanted.id
from unnest(%(ids)s::text[]) as wanted (id)
where exists (select from {table} as here where here.id = wanted.id::{key_type});

-- name: delete
delete from {table} where id = any (%(ids)s::text[]::{key_type}[]);
