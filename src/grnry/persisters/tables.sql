-- name: lock
-- Whoever changes what the table is waits until we are done with it.
lock table only {table} in row exclusive mode;

-- name: look
-- What a table is, and all by which somebody's code could run when it is written.
select pg_get_userbyid(found.relowner) as owner,
  found.relkind::text as kind,
  found.relispartition or found.relkind = 'p' as is_partitioned,
  found.relrowsecurity as has_policies,
  found.relhasrules as has_rules,
  exists (select from pg_trigger where tgrelid = found.oid) as has_triggers,
  exists (
    select from pg_constraint where conrelid = found.oid and contype not in ('p', 'u', 'n')
  ) as has_checks,
  exists (
    select from pg_index
    where indrelid = found.oid and (indexprs is not null or indpred is not null)
  ) as has_expressions,
  has_table_privilege(found.oid, 'select') and has_table_privilege(found.oid, 'insert')
    and has_table_privilege(found.oid, 'update') as may_write,
  (
    select coalesce(jsonb_agg(jsonb_build_object(
        'name', attname,
        'type', typname,
        'is_core', typtype = 'b' and typnamespace = 'pg_catalog'::regnamespace,
        'is_needed', attnotnull and not atthasdef and attidentity = '',
        'has_default', atthasdef
      )), '[]')
    from pg_attribute join pg_type on pg_type.oid = atttypid
    where attrelid = found.oid and attnum > 0 and not attisdropped
  ) as columns,
  (
    select coalesce(jsonb_agg((
        select jsonb_agg(attname order by attname)
        from pg_attribute where attrelid = found.oid and attnum = any(indkey)
      )), '[]')
    from pg_index
    where indrelid = found.oid and indisunique and indisvalid and indimmediate
      and indpred is null and indexprs is null
  ) as keys
from pg_class as found
join pg_namespace on pg_namespace.oid = found.relnamespace
where nspname = %(schema)s and relname = %(table)s;

-- name: make
create table {table} (
  correlation_id varchar not null,
  event_id varchar not null,
  created bigint not null,
  message jsonb,
  event_type varchar not null default 'na',
  event_type_version integer,
  event_harvester varchar not null default 'na',
  partition_id bigint not null,
  partition_offset bigint not null,
  ttl varchar,
  expires bigint,
  primary key (event_type, correlation_id, event_id)
);

-- name: index_newest
create index on {table} (event_type, created);

-- name: index_expiry
create index on {table} (expires) where expires is not null;

-- name: grant_schema
grant usage on schema {schema} to {role};

-- name: grant_table
grant select, insert, update on {table} to {role};
