-- Events that are kept in a table of a project's, or in another database, expire as well.

-- How far the reaper is in each table that has events of a type: the platform's has no name.
alter table grnry.expiry add column kept_in text not null default '';
alter table grnry.expiry drop constraint expiry_pkey;
alter table grnry.expiry add primary key (event_type, kept_in);
