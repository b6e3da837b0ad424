-- A worker may copy a batch by a second session while the first one commits. Who takes its
-- partitions over ends both.
alter table grnry.leases
  add column second_pid integer,
  add column second_start timestamptz;
