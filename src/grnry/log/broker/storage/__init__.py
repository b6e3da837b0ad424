"""The broker's files: partitions, topics, group offsets. Nothing here knows a socket."""
