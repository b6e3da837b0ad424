"""The broker as one object: its store, its handlers and its connections."""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from functools import partial

from grnry.log.broker.errors import SyncFailedError
from grnry.log.broker.protocol import apis, codec
from grnry.log.broker.protocol.apis import API_VERSIONS, APIS
from grnry.log.broker.protocol.errors import MalformedRequestError, RequestError
from grnry.log.broker.protocol.frames import SIZE, api_of, read_header, response_head
from grnry.log.broker.settings import BrokerSettings
from grnry.log.broker.storage.store import Store, now_ms
from grnry.log.broker.storage.topics import Topic

from .answers import After, Answer, Handler, Later, Pieces, Request
from .cluster import ClusterHandlers, too_new
from .compaction import Compactor
from .connection import Connection, Slot
from .durability import Durability
from .fetch import FetchHandler
from .group_offsets import GroupOffsetHandlers
from .groups import GroupHandlers, Groups
from .metrics import Counters, text
from .offsets import OffsetHandlers
from .produce import ProduceHandler
from .sasl import SaslHandlers
from .security import Users
from .topics import TopicHandlers

log = logging.getLogger("grnry.log.broker")

_SCRATCH = 256 << 10
_LARGEST_WITHOUT_RECORDS = 4 << 20
Frame = Callable[[Pieces | codec.Values], Pieces]


class Broker:
    """Made on the running event loop, when the store is open and the port is known."""

    def __init__(
        self,
        settings: BrokerSettings,
        store: Store,
        port: int,
        on_failure: Callable[[OSError], None],
        users: Users | None = None,
    ) -> None:
        self.limits = settings.limits
        self.scratch = bytearray(_SCRATCH)
        self.durability = Durability(settings, on_failure)
        self._settings = settings
        self._store = store
        self._connections: set[Connection] = set()
        self._loop = asyncio.get_running_loop()
        self._groups = Groups(settings.groups, store.group_offsets)
        self._offsets = GroupOffsetHandlers(store, self._groups, self.durability)
        self._compactor = Compactor(store)
        self._counters = Counters()
        self._sasl = SaslHandlers(users)
        self.asks_for_passwords = self._sasl.is_required
        self._handlers = self._all_handlers(port)

    def _all_handlers(self, port: int) -> dict[int, Handler]:
        settings, store = self._settings, self._store
        host = settings.advertised_host or _reachable(settings.host)
        cluster = ClusterHandlers(store, host, settings.advertised_port or port)
        offsets = OffsetHandlers(store)
        fetch = FetchHandler(store, settings.limits)
        groups = GroupHandlers(self._groups, fetch.assigned)
        topics = TopicHandlers(store, settings.limits.partitions, self._forget_offsets)
        return {
            apis.PRODUCE: ProduceHandler(store, self.durability.partition),
            apis.FETCH: fetch,
            apis.LIST_OFFSETS: offsets.list_offsets,
            apis.METADATA: cluster.metadata,
            apis.OFFSET_COMMIT: self._offsets.commit,
            apis.OFFSET_FETCH: self._offsets.fetch,
            apis.FIND_COORDINATOR: cluster.find_coordinator,
            apis.JOIN_GROUP: groups.join_group,
            apis.HEARTBEAT: groups.heartbeat,
            apis.LEAVE_GROUP: groups.leave_group,
            apis.SYNC_GROUP: groups.sync_group,
            apis.DESCRIBE_GROUPS: self._offsets.describe_groups,
            apis.LIST_GROUPS: self._offsets.list_groups,
            apis.SASL_HANDSHAKE: self._sasl.handshake,
            apis.API_VERSIONS: cluster.api_versions,
            apis.CREATE_TOPICS: topics.create,
            apis.DELETE_TOPICS: topics.delete,
            apis.DELETE_RECORDS: offsets.delete_records,
            apis.INIT_PRODUCER_ID: cluster.init_producer_id,
            apis.OFFSET_FOR_LEADER_EPOCH: offsets.for_leader_epoch,
            apis.DESCRIBE_CONFIGS: topics.describe_configs,
            apis.ALTER_CONFIGS: topics.alter_configs,
            apis.DESCRIBE_LOG_DIRS: offsets.describe_log_dirs,
            apis.SASL_AUTHENTICATE: self._sasl.authenticate,
            apis.CREATE_PARTITIONS: topics.create_partitions,
            apis.DELETE_GROUPS: self._offsets.delete_groups,
            apis.INCREMENTAL_ALTER_CONFIGS: topics.incremental_alter_configs,
            apis.OFFSET_DELETE: self._offsets.delete_offsets,
            apis.DESCRIBE_CLUSTER: cluster.describe_cluster,
        }

    def _forget_offsets(self, topic: str) -> None:
        self._store.group_offsets.forget_topic(topic)
        self.durability.offsets(self._store.group_offsets)

    # Connections

    def opened(self, connection: Connection) -> bool:
        if len(self._connections) >= self.limits.connections:
            log.warning("refused a connection: there are %d already", len(self._connections))
            return False
        self._connections.add(connection)
        return True

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def close_idle_connections(self) -> None:
        """Those of clients that are gone without a word, or that never read their answers."""
        for connection in list(self._connections):
            if connection.is_idle(self.limits.idle_seconds):
                log.info("closed the idle connection of %s", connection.client_host)
                connection.close()

    def close_connections(self) -> None:
        for connection in list(self._connections):
            connection.close_when_answered()

    # Requests

    def handle(self, connection: Connection, slot: Slot, frame: memoryview) -> None:
        api_key, version, correlation_id = api_of(frame)
        self._counters.bytes_in += len(frame) + SIZE.size
        api = APIS.get(api_key)
        if api is None or not api.lowest <= version <= api.highest:
            if api_key != API_VERSIONS:
                raise MalformedRequestError(f"version {version} of API {api_key} is not there")
            body = too_new()
            connection.answer(
                slot, [response_head(correlation_id, len(body), flexible=False), body]
            )
            return
        self._sasl.check(connection.session, api_key)
        if len(frame) > _LARGEST_WITHOUT_RECORDS and api_key != apis.PRODUCE:
            raise MalformedRequestError(f"{len(frame)} bytes are too many for {api.name}")
        self._counters.requests[api_key] += 1
        flexible = api.is_flexible(version)
        header = read_header(frame, flexible=flexible)
        request = Request(
            api_key,
            version,
            header.client_id,
            connection.client_host,
            frame,
            header.body_at,
            connection.session,
        )
        if api_key not in {apis.PRODUCE, apis.FETCH}:
            request.body = codec.decode(api_key, version, frame, header.body_at)
        flexible_head = flexible and api_key != API_VERSIONS
        to_frame = partial(self._framed, api_key, version, correlation_id, flexible_head)
        try:
            answer = self._handlers[api_key](request)
            self._settle(connection, slot, answer, to_frame)
        except MalformedRequestError:
            raise
        except SyncFailedError as error:
            self.durability.fail(error.cause)
        except Exception as error:
            # Looked for only here: to look at each request would cost all of them.
            if request.body is not None and codec.has_forbidden_null(request.body):
                raise MalformedRequestError(f"A null in {api.name} has no place there.") from error
            log.exception("%s failed", api.name)
            connection.close()

    def _settle(self, connection: Connection, slot: Slot, answer: Answer, to_frame: Frame) -> None:
        if answer is None:
            connection.answer(slot, [])
        elif isinstance(answer, After):
            pieces = to_frame(answer.answer)
            answer.done.add_done_callback(lambda _done: connection.answer(slot, pieces))
        elif isinstance(answer, list | Mapping):
            connection.answer(slot, to_frame(answer))
        else:
            later = self._answer_later(connection, slot, answer, to_frame)
            slot.task = self._loop.create_task(later)

    async def _answer_later(
        self, connection: Connection, slot: Slot, later: Later, to_frame: Frame
    ) -> None:
        try:
            connection.answer(slot, to_frame(await later))
        except Exception:
            log.exception("a request failed")
            connection.close()

    def _framed(
        self,
        api_key: int,
        version: int,
        correlation_id: int,
        flexible: bool,
        answer: Pieces | codec.Values,
    ) -> Pieces:
        pieces = answer if isinstance(answer, list) else [codec.encode(api_key, version, answer)]
        size = sum(map(len, pieces))
        head = response_head(correlation_id, size, flexible=flexible)
        self._counters.bytes_out += len(head) + size
        return [head, *pieces]

    def metrics(self) -> str:
        """What was counted, and what is now, as Prometheus text."""
        connections = len(self._connections)
        return text(self._counters, self._store, self._groups, self.durability, connections)

    # What is done now and then

    async def expire(self) -> None:
        """One partition at a time, with requests between them."""
        now = now_ms()
        for topic in self._store.topics:
            for number in topic.written():
                self._expire(topic, number, now)
                await asyncio.sleep(0)
                if topic.config.compacts:
                    await self._compactor.compact(topic, number)
                if topic.name not in self._store.topics:
                    break
        self._offsets.expire(self._settings.offsets_retention_ms)

    def _expire(self, topic: Topic, number: int, now: int) -> None:
        try:
            partition = topic.log(number, now)
            deleted = partition.expire(topic.config, now)
        except SyncFailedError as error:
            self.durability.fail(error.cause)
            return
        except (RequestError, OSError) as error:
            log.warning("retention of %s/%d failed: %s", topic.name, number, error)
            return
        if deleted:
            log.info("%s: retention deleted %d files", partition.folder, deleted)


def _reachable(host: str) -> str:
    """Clients can't connect to "all addresses": they are told the machine's name."""
    return socket.gethostname() if host in {"", "0.0.0.0", "::"} else host
