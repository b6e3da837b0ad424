-- What has expired is told of once.

-- How far the reaper is in each event type, by time: everything up to `reached` was told of. A place
-- is an array of an event's time, correlation id and event id.
create table grnry.expiry (
  event_type text primary key references grnry.event_types on delete cascade,
  reached jsonb,
  -- What was told of a day ago, and still has no end then, is told of again: up to `again_until`,
  -- of which `again_reached` is done. What was reached at the last time is due the next time.
  again_at timestamptz not null,
  again_reached jsonb,
  again_until jsonb
);

-- Workers have to know whether a type's ids are random: a deletion then names no event.
grant select (name, version, event_id_expression) on grnry.event_type_versions to grnry_worker;
