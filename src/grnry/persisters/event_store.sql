-- name: copy
copy {table} ({columns}) from stdin (format binary);

-- name: make_waiting
create temporary table if not exists waiting on commit delete rows
as select {columns} from {table} with no data;

-- name: copy_waiting
copy waiting ({columns}) from stdin (format binary);

-- name: insert_waiting
with stored as (
  delete from waiting returning *
)
insert into {table} ({columns}) select {columns} from stored
on conflict (event_type, correlation_id, event_id) do nothing;

-- name: can_write
select coalesce(has_table_privilege('public.eventstore', 'insert, update')
  and relowner <> current_user::regrole, false) as can_write
from (select to_regclass('public.eventstore') as found) as eventstore
left join pg_class on pg_class.oid = found;
