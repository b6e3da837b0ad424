-- Dead letters are handed to the deployment that failed once more, copied to topics, and dropped when
-- they are old.

alter table grnry.dead_letters
  -- The row that it is about, as its sink names rows; null where that cannot be seen.
  add column record_id bytea,
  -- What somebody has put in the place of its payload.
  add column is_edited boolean not null default false,
  add column edited_payload bytea,
  -- Whether it is stored though something newer may be.
  add column is_forced boolean not null default false,
  add column requested_at timestamptz,
  add column requested_by text,
  -- How often it was replayed, and why the last time has failed.
  add column attempts integer not null default 0,
  add column last_reason text,
  add column last_sqlstate text,
  add column settled_at timestamptz,
  add column copied_at timestamptz,
  -- When it was said that it is dropped soon.
  add column warned_at timestamptz,
  add constraint dead_letters_state
    check (state in ('failed', 'queued', 'replayed', 'superseded'));

create index dead_letters_list on grnry.dead_letters (deployment, id);
create index dead_letters_open on grnry.dead_letters (deployment, record_id)
  where record_id is not null and state in ('failed', 'queued');
create index dead_letters_queued on grnry.dead_letters
  (deployment, topic, partition, record_offset) where state = 'queued';
create index dead_letters_not_copied on grnry.dead_letters (id) where copied_at is null;
create index dead_letters_age on grnry.dead_letters (failed_at);

-- Workers say how a replay ended; what failed, and why at first, they cannot change.
grant update (state, attempts, last_reason, last_sqlstate, settled_at)
  on grnry.dead_letters to grnry_worker;
