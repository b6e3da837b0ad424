-- Logins that may be refreshed. A refresh token says its session and generation; the last
-- generation counts, and an earlier one that comes again ends the session.
create table grnry.sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references grnry.users on delete cascade,
  client_id text not null references grnry.clients on delete cascade,
  generation integer not null default 1,
  rotated_at timestamptz not null,
  expires_at timestamptz not null
);
create index sessions_user_id on grnry.sessions (user_id);
create index sessions_client_id on grnry.sessions (client_id);
create index sessions_expires_at on grnry.sessions (expires_at);

-- A user that stands for a confidential client; nobody logs in as such a one.
alter table grnry.users add service_account boolean not null default false;
create index clients_acts_as on grnry.clients (acts_as);
