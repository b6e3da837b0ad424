-- Lists of event types: pages, counts and searches without reading all rows.

create index event_types_of_project on grnry.event_types (project, name) where phase = 'ready';
create index event_types_ready on grnry.event_types (name) where phase = 'ready';

-- Searches read every row where a database does not offer trigrams, or does not let us have them.
do $$
begin
  create extension if not exists pg_trgm with schema grnry;
  create index event_types_search on grnry.event_types using gin (display_name grnry.gin_trgm_ops);
exception
  when insufficient_privilege or undefined_file or feature_not_supported or undefined_object then
    raise notice 'No index for searches: %', sqlerrm;
end
$$;
