-- name: make_table
create table {table} ({columns}, primary key (id));

-- name: grant_table
grant select, insert, update, delete on {table} to {role}, {worker};

-- name: grant_schema
grant usage on schema {schema} to {worker};

-- name: alter_table
alter table {table} {actions};

-- name: drop_table
drop table if exists {table};

-- name: empty_table
truncate table {table};

-- name: count_rows
select count(*) from {table};
