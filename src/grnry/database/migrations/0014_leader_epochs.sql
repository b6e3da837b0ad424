-- A log that lost its end, and is longer again by now, has other records at places that were read.

-- The leader epoch of the last record before the offset; null where brokers do not say it.
alter table grnry.leases add column leader_epoch integer;
