-- name: add
insert into grnry.dead_letters
  (deployment, topic, partition, record_offset, record_time, key, payload,
   header_names, header_values, reason, sqlstate)
values
  (%(deployment)s, %(topic)s, %(partition)s, %(record_offset)s,
   to_timestamp(%(record_time)s::float8 / 1000), %(key)s, %(payload)s,
   %(header_names)s, %(header_values)s::bytea[], %(reason)s, %(sqlstate)s)
on conflict (deployment, topic, partition, record_offset) do nothing;
