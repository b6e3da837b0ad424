-- How many dead letters there are is asked far oftener than it changes, and there may be millions of them.
-- So it is kept: each statement that changes dead letters adds what it makes more or less, without waiting
-- for others that do; what is asked is the sum; and the keeper sums up what was added.

create table grnry.dead_letter_counts (
  id bigint generated always as identity primary key,
  deployment text not null,
  state text not null,
  -- Null where all reasons are counted together.
  reason text,
  sqlstate text,
  letters bigint not null,
  warned bigint not null,
  -- Not summed up yet.
  is_fresh boolean not null default true
);

create index dead_letter_counts_all on grnry.dead_letter_counts (deployment, state)
  include (letters, warned) where reason is null;
create index dead_letter_counts_most on grnry.dead_letter_counts (deployment, state, letters desc)
  where reason is not null;
create index dead_letter_counts_reason
  on grnry.dead_letter_counts (deployment, md5(coalesce(reason, '')), state);
create index dead_letter_counts_fresh on grnry.dead_letter_counts (id) where is_fresh;

-- Pages, in the order in which they failed. No other index has that order: the planner would go through
-- the letters of all deployments by it, as it takes them for mixed well.
alter table grnry.dead_letters drop constraint dead_letters_pkey;
create index dead_letters_id on grnry.dead_letters using hash (id);
create index dead_letters_page on grnry.dead_letters (deployment, state, id);
create index dead_letters_reason
  on grnry.dead_letters (deployment, md5(coalesce(last_reason, reason)), state, id);
drop index grnry.dead_letters_list;

-- As its owner: those who change dead letters can count only by changing them.
create function grnry.count_new_dead_letters() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into grnry.dead_letter_counts (deployment, state, reason, sqlstate, letters, warned)
  select deployment, state, coalesce(last_reason, reason) as why,
    case when last_reason is null then sqlstate else last_sqlstate end as code,
    count(*), count(warned_at)
  from come
  group by grouping sets ((deployment, state), (deployment, state, why, code));
  return null;
end $$;

create function grnry.count_changed_dead_letters() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into grnry.dead_letter_counts (deployment, state, reason, sqlstate, letters, warned)
  select deployment, state, why, code, sum(letters), sum(warned)
  from (
    select deployment, state, coalesce(last_reason, reason) as why,
      case when last_reason is null then sqlstate else last_sqlstate end as code,
      1 as letters, (warned_at is not null)::integer as warned
    from come
    union all
    select deployment, state, coalesce(last_reason, reason),
      case when last_reason is null then sqlstate else last_sqlstate end,
      -1, -(warned_at is not null)::integer
    from gone
  ) as change
  group by grouping sets ((deployment, state), (deployment, state, why, code))
  having sum(letters) <> 0 or sum(warned) <> 0;
  return null;
end $$;

create function grnry.count_gone_dead_letters() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into grnry.dead_letter_counts (deployment, state, reason, sqlstate, letters, warned)
  select deployment, state, coalesce(last_reason, reason) as why,
    case when last_reason is null then sqlstate else last_sqlstate end as code,
    -count(*), -count(warned_at)
  from gone
  group by grouping sets ((deployment, state), (deployment, state, why, code));
  return null;
end $$;

revoke all on function grnry.count_new_dead_letters(), grnry.count_changed_dead_letters(),
  grnry.count_gone_dead_letters() from public;

create trigger count_new after insert on grnry.dead_letters
  referencing new table as come
  for each statement execute function grnry.count_new_dead_letters();
create trigger count_changed after update on grnry.dead_letters
  referencing old table as gone new table as come
  for each statement execute function grnry.count_changed_dead_letters();
create trigger count_gone after delete on grnry.dead_letters
  referencing old table as gone
  for each statement execute function grnry.count_gone_dead_letters();

insert into grnry.dead_letter_counts (deployment, state, reason, sqlstate, letters, warned, is_fresh)
select deployment, state, coalesce(last_reason, reason) as why,
  case when last_reason is null then sqlstate else last_sqlstate end as code,
  count(*), count(warned_at), false
from grnry.dead_letters
group by grouping sets ((deployment, state), (deployment, state, why, code));
