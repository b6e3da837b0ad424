-- name: copy
copy {table} ({columns}) from stdin (format binary);

-- name: make_waiting
create temporary table if not exists waiting on commit delete rows
as select {columns} from {table} with no data;

-- name: copy_waiting
copy waiting ({columns}) from stdin (format binary);

-- name: insert_waiting
-- In the order of the log, as of several with the same ids the first one stays; a table gives back
-- in another order than it took.
with stored as (
  delete from waiting returning *
)
insert into {table} ({columns})
select {columns} from stored order by partition_id, partition_offset
on conflict (event_type, correlation_id, event_id) do nothing;

-- name: make_refusal
-- What the server says of a message, in each of its versions. What depends on the depth of its stack
-- is asked where it is stored.
create or replace function pg_temp.refusal_of(message bytea) returns text[]
language plpgsql strict as $$
declare
  primary_text text;
  detail text;
begin
  perform convert_from(message, 'UTF8')::jsonb;
  return null;
exception
  when data_exception then
    get stacked diagnostics primary_text = message_text, detail = pg_exception_detail;
    return array[primary_text, detail, sqlstate];
  when program_limit_exceeded then
    return null;
end $$;

-- name: refusals
select line.place::int - 1 as place, refusal[1:2] as said, refusal[3] as sqlstate
from unnest(%(messages)b::bytea[]) with ordinality as line (message, place),
  pg_temp.refusal_of(line.message) as refusal
where refusal is not null;

-- name: expire_events
-- `ttl` is what `created` lacks to the end, which is once and for all: a further deletion does not
-- put it off. Beyond 64 bits for the times of events that nobody can have sent.
update {rows} as event
set expires = term.ends,
  ttl = 'PT' || greatest(0, round((term.ends - event.created::numeric) / 1000, 3)) || 'S'
from unnest(%(correlation_ids)s::text[], %(event_ids)s::text[]) as deletion (correlation_id, event_id),
  (select (extract(epoch from now() + %(grace)s::interval) * 1000)::bigint as ends) as term
where event.event_type = %(event_type)s and event.ttl is null
  and event.correlation_id = deletion.correlation_id and event.event_id = deletion.event_id;

-- name: expire_entities
update {rows} as event
set expires = term.ends,
  ttl = 'PT' || greatest(0, round((term.ends - event.created::numeric) / 1000, 3)) || 'S'
from unnest(%(correlation_ids)s::text[]) as deletion (correlation_id),
  (select (extract(epoch from now() + %(grace)s::interval) * 1000)::bigint as ends) as term
where event.event_type = %(event_type)s and event.ttl is null
  and event.correlation_id = deletion.correlation_id;

-- name: knows_types
select coalesce(has_column_privilege(
    to_regclass('grnry.event_type_versions'), 'event_id_expression', 'select'), false) as knows_types;

-- name: has_random_ids
select position('#randomUUID()' in coalesce(event_id_expression, '')) > 0 as has_random_ids
from grnry.event_type_versions
where name = %(event_type)s
order by version desc
limit 1;

-- name: can_write
select coalesce(has_table_privilege('public.eventstore', 'insert, update')
  and relowner <> current_user::regrole, false) as can_write
from (select to_regclass('public.eventstore') as found) as eventstore
left join pg_class on pg_class.oid = found;

-- name: stored_events
select event.correlation_id, event.event_id
from unnest(%(correlation_ids)s::text[], %(event_ids)s::text[]) as wanted (correlation_id, event_id)
join {rows} as event
  on event.event_type = %(event_type)s
    and event.correlation_id = wanted.correlation_id and event.event_id = wanted.event_id;
