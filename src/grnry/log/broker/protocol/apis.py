"""Which requests the broker answers, in which versions."""

from typing import NamedTuple

PRODUCE = 0
FETCH = 1
LIST_OFFSETS = 2
METADATA = 3
OFFSET_COMMIT = 8
OFFSET_FETCH = 9
FIND_COORDINATOR = 10
JOIN_GROUP = 11
HEARTBEAT = 12
LEAVE_GROUP = 13
SYNC_GROUP = 14
DESCRIBE_GROUPS = 15
LIST_GROUPS = 16
SASL_HANDSHAKE = 17
API_VERSIONS = 18
CREATE_TOPICS = 19
DELETE_TOPICS = 20
DELETE_RECORDS = 21
INIT_PRODUCER_ID = 22
OFFSET_FOR_LEADER_EPOCH = 23
DESCRIBE_CONFIGS = 32
ALTER_CONFIGS = 33
DESCRIBE_LOG_DIRS = 35
SASL_AUTHENTICATE = 36
CREATE_PARTITIONS = 37
DELETE_GROUPS = 42
INCREMENTAL_ALTER_CONFIGS = 44
OFFSET_DELETE = 47
DESCRIBE_CLUSTER = 60

_NEVER = 99


class Api(NamedTuple):
    name: str  # as kio calls the package with its schemas
    lowest: int
    highest: int
    flexible_from: int

    def is_flexible(self, version: int) -> bool:
        return version >= self.flexible_from


APIS: dict[int, Api] = {
    PRODUCE: Api("produce", 3, 8, 9),
    FETCH: Api("fetch", 4, 11, 12),
    LIST_OFFSETS: Api("list_offsets", 1, 7, 6),
    METADATA: Api("metadata", 0, 12, 9),
    OFFSET_COMMIT: Api("offset_commit", 2, 7, 8),
    OFFSET_FETCH: Api("offset_fetch", 1, 5, 6),
    FIND_COORDINATOR: Api("find_coordinator", 0, 2, 3),
    JOIN_GROUP: Api("join_group", 0, 5, 6),
    HEARTBEAT: Api("heartbeat", 0, 3, 4),
    LEAVE_GROUP: Api("leave_group", 0, 3, 4),
    SYNC_GROUP: Api("sync_group", 0, 3, 4),
    DESCRIBE_GROUPS: Api("describe_groups", 0, 4, 5),
    LIST_GROUPS: Api("list_groups", 0, 4, 3),
    SASL_HANDSHAKE: Api("sasl_handshake", 1, 1, _NEVER),
    API_VERSIONS: Api("api_versions", 0, 3, 3),
    CREATE_TOPICS: Api("create_topics", 2, 4, 5),
    DELETE_TOPICS: Api("delete_topics", 1, 3, 4),
    DELETE_RECORDS: Api("delete_records", 0, 1, 2),
    INIT_PRODUCER_ID: Api("init_producer_id", 0, 1, 2),
    OFFSET_FOR_LEADER_EPOCH: Api("offset_for_leader_epoch", 2, 3, 4),
    DESCRIBE_CONFIGS: Api("describe_configs", 1, 3, 4),
    ALTER_CONFIGS: Api("alter_configs", 0, 1, 2),
    DESCRIBE_LOG_DIRS: Api("describe_log_dirs", 1, 1, 2),
    SASL_AUTHENTICATE: Api("sasl_authenticate", 0, 2, 2),
    CREATE_PARTITIONS: Api("create_partitions", 0, 1, 2),
    DELETE_GROUPS: Api("delete_groups", 0, 1, 2),
    INCREMENTAL_ALTER_CONFIGS: Api("incremental_alter_configs", 0, 0, 1),
    OFFSET_DELETE: Api("offset_delete", 0, 0, _NEVER),
    DESCRIBE_CLUSTER: Api("describe_cluster", 0, 0, 0),
}
