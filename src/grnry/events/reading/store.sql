-- name: types_of
-- Those whose event type was deleted and whose data was not, too.
select name from grnry.event_types
where project = any(%(projects)s) and phase = 'ready' and type = 'data_in'
union
select name from grnry.former_event_types
where project = any(%(projects)s) and type = 'data_in'
order by name;

-- name: of_entity
-- The key begins with the event type: one probe of it for each type that the caller may read.
select {columns} from public.eventstore
where correlation_id = %(correlation_id)s and event_type = any(%(types)s)
  and created >= %(since)s and created < %(until)s {streams}
order by created, event_type, event_id
limit %(limit)s offset %(offset)s;

-- name: newest
select {columns} from public.eventstore
where event_type = %(event_type)s and created >= %(since)s and created < %(until)s {streams}
order by created desc, correlation_id, event_id
limit %(limit)s offset %(offset)s;

-- name: one
select {columns} from public.eventstore
where correlation_id = %(correlation_id)s and event_id = %(event_id)s
  and event_type = any(%(types)s) {streams}
order by created, event_type
limit 1;

-- name: count_of_entity
select count(*) from public.eventstore
where correlation_id = %(correlation_id)s and event_type = any(%(types)s)
  and created >= %(since)s and created < %(until)s {streams};

-- name: count_of_type
select count(*) from public.eventstore
where event_type = %(event_type)s and created >= %(since)s and created < %(until)s {streams};

-- name: streams
-- Of some types the caller may read what some harvesters have sent.
and (event_type = any(%(whole_types)s) or (event_type, event_harvester) in (
  select * from unnest(%(stream_types)s::text[], %(stream_harvesters)s::text[])
))

-- name: columns
correlation_id, event_id, created, event_type, event_type_version, event_harvester

-- name: columns_and_message
correlation_id, event_id, created, event_type, event_type_version, event_harvester, message

-- name: with_messages
-- As text, so that every number stays as it was sent, however deep it is nested; and no more of them
-- than fit into an answer.
select correlation_id, event_id, created, event_type, event_type_version, event_harvester, text, found
from (
  select page.*, count(*) over () as found,
    sum(coalesce(octet_length(text), 0)) over (order by number) as bytes
  from (
    select page.*, message::text as text, row_number() over () as number from ({page}) as page
  ) as page
) as page
where number = 1 or bytes <= %(most_bytes)s
order by number;
