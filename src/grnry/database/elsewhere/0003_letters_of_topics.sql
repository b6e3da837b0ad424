-- A dead letter is superseded by what is newer in the log, and offsets of two topics say nothing of that.

-- Since when the topic is the one of this id: of two, the later one is known.
alter table grnry.leases add column topic_since timestamptz;

-- The topic that the record was read from; null where that is not known, or not any more.
alter table grnry.dead_letters add column topic_id text;

-- Whether a record has its dead letter already is seen by what is in it, under its partition's lease.
drop index grnry.dead_letters_place;
create index dead_letters_place on grnry.dead_letters (deployment, topic, partition, record_offset);
