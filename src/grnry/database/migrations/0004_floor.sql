-- Who does what only one process may do: the one whose session is noted here, as long as that
-- session lasts. A row and no advisory lock, as anybody who logs in could take an advisory lock.
create table grnry.leaders (
  name text primary key,
  backend_pid integer,
  backend_start timestamptz
);

-- Workers give leases back, they do not delete them.
revoke delete on grnry.leases from grnry_worker;
