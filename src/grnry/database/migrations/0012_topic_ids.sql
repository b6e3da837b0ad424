-- A topic that is deleted and made again has the same places once more, with other records.

-- The topic that the offset is of; null where it was not written down yet.
alter table grnry.leases add column topic_id text;

-- So a record is known by its time as well.
alter table grnry.dead_letters
  drop constraint dead_letters_deployment_topic_partition_record_offset_key;
create unique index dead_letters_place on grnry.dead_letters
  (deployment, topic, partition, record_offset, coalesce(record_time, to_timestamp(0)));
