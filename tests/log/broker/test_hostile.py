"""Clients that send nonsense, vanish, or never read: others go on, and memory is bounded.

By hand: GRNRY_FAULT_SECONDS=300 GRNRY_FAULT_SEED=1 ./check tests/log/broker/test_hostile.py
"""

import random
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
)
from confluent_kafka.admin._listoffsets import OffsetSpec

from tests.conftest import free_port
from tests.log.broker.ledger import SECONDS, SEED, SPOTLESS, Deliveries, Load, Reader, judge
from tests.log.broker.running import RunningBroker, wait_until
from tests.log.broker.test_connections import (
    Raw,
    assert_well,
    fetch_request,
    memory_mb,
    produce_request,
)

TCP_REPAIR = 19


class Recorder:
    """A proxy that keeps what clients send."""

    def __init__(self, port: int, target: int) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self._target = target
        self.streams: list[bytearray] = []
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self._begin(self._accept)

    def _begin(self, what: object, *given: object) -> None:
        thread = threading.Thread(target=what, args=given)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        while not self._over.is_set():
            if select.select([self._server], [], [], 0.05)[0]:
                self._begin(self._pass_on, self._server.accept()[0])

    def _pass_on(self, client: socket.socket) -> None:
        kept = bytearray()
        self.streams.append(kept)
        broker = socket.create_connection(("127.0.0.1", self._target))
        with client, broker, suppress(ConnectionError):
            while not self._over.is_set():
                for ready in select.select([client, broker], [], [], 0.05)[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    if ready is client:
                        kept += data
                    (broker if ready is client else client).sendall(data)

    def frames(self) -> list[bytes]:
        found = []
        for stream in self.streams:
            position = 0
            while position + 4 <= len(stream):
                (size,) = struct.unpack_from(">i", stream, position)
                found.append(bytes(stream[position + 4 : position + 4 + size]))
                position += 4 + size
        return found

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        self._server.close()


def recorded(folder: Path) -> list[bytes]:
    """Requests of a real client: one of each kind and version that it sends."""
    port = free_port()
    with RunningBroker(folder, advertised_port=port) as broker:
        recorder = Recorder(port, broker.port)
        direct, broker.port = broker.port, port
        try:
            _do_all_that_clients_do(broker)
        finally:
            recorder.close()
            broker.port = direct
    kinds: dict[bytes, bytes] = {}
    for frame in recorder.frames():
        kinds[frame[:4]] = max(frame, kinds.get(frame[:4], b""), key=len)
    assert len(kinds) >= 18
    return list(kinds.values())


def _do_all_that_clients_do(broker: RunningBroker) -> None:
    broker.create_topic("fuzzed", 2, retention_ms="1000000")
    broker.produce("fuzzed", ["x" * 50] * 5, enable_idempotence=True, compression_type="gzip")
    broker.read_all("fuzzed", 5, "fuzzed-group")
    consumer = broker.consumer("fuzzed-group")
    consumer.subscribe(["fuzzed"])
    last = wait_until(lambda: consumer.consume(1, 0.1))[0]
    consumer.commit(message=last, asynchronous=False)
    place = TopicPartition("fuzzed", 0)
    admin = broker.admin
    entry = ConfigEntry("retention.ms", "2000000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, "fuzzed")
    changed = ConfigResource(ConfigResource.Type.TOPIC, "fuzzed", incremental_configs=[entry])
    asked = [
        *admin.list_offsets({place: OffsetSpec.for_timestamp(5)}).values(),
        admin.list_consumer_groups(),
        *admin.describe_consumer_groups(["fuzzed-group"]).values(),
        *admin.describe_configs([resource]).values(),
        *admin.incremental_alter_configs([changed]).values(),
        *admin.create_partitions([NewPartitions("fuzzed", 3)]).values(),
        admin.describe_cluster(),
        *admin.delete_records([TopicPartition("fuzzed", 0, 0)]).values(),
    ]
    for one in asked:
        one.result(10)
    consumer.close()
    offsets = ConsumerGroupTopicPartitions("fuzzed-group")
    for one in admin.list_consumer_group_offsets([offsets]).values():
        one.result(10)
    for one in admin.delete_consumer_groups(["fuzzed-group"]).values():
        one.result(10)
    for one in admin.delete_topics(["fuzzed"]).values():
        one.result(10)


@contextmanager
def bystanders(broker: RunningBroker) -> Iterator[Load]:
    """A producer and a group that must not notice anything."""
    told = Deliveries()
    broker.create_topic("bystander", 2)
    load = Load(broker, "bystander")
    reader = Reader(broker, "bystander", "bystanders", told)
    try:
        wait_until(lambda: load.has_reached(200) and told.commits > 1)
        yield load
        reached, commits = len(load.acknowledged), told.commits
        wait_until(lambda: load.has_reached(reached + 200) and told.commits > commits)
    finally:
        load.finish()
        total = len(load.acknowledged)
        try:
            wait_until(lambda: told.count >= total, 60)
        finally:
            reader.finish()
    assert load.failed == []
    assert judge(broker.read_all("bystander", total), [load]) == SPOTLESS
    assert told.wrong == []
    assert not reader.errors


def mutated(chance: random.Random, frame: bytes) -> bytes:
    data = bytearray(frame)
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        at = chance.randrange(8, max(9, len(data)))
        how = chance.randrange(6)
        if how == 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif how == 1:
            data[at : at + 4] = chance.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 4])
        elif how == 2:
            del data[at : at + chance.randrange(1, 9)]
        elif how == 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif how == 4:
            data[at : at + 8] = b"\x80" + b"\0" * 7
        else:
            del data[at:]
    if chance.random() < 0.1:
        data[2:4] = struct.pack(">h", chance.randrange(14))
    return bytes(data)


@pytest.mark.timeout(120 + 3 * SECONDS)
@pytest.mark.parametrize("seed", [SEED])
def test_fuzzed_requests(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    corpus = recorded(tmp_path / "recorded")
    with RunningBroker(tmp_path / "log") as broker:
        broker.create_topic("fuzzed", 2)
        with bystanders(broker):
            before = memory_mb(broker)
            until = time.monotonic() + SECONDS
            sent = 0
            while time.monotonic() < until:
                with Raw(broker) as raw, suppress(ConnectionError):
                    raw.socket.setblocking(False)
                    for _ in range(chance.randrange(1, 6)):
                        frame = mutated(chance, chance.choice(corpus))
                        if chance.random() < 0.02:
                            frame = chance.randbytes(chance.randrange(200))
                        raw.send(struct.pack(">i", len(frame)) + frame)
                        sent += 1
                    with suppress(BlockingIOError):
                        raw.socket.recv(1 << 16)
            assert_well(broker)
            grown = memory_mb(broker) - before
        logged = broker.stop()
    assert sent > 100
    assert grown < 64, f"{grown} MB more after {sent} requests"
    assert "Traceback" not in logged, logged[logged.index("Traceback") - 500 :][:4000]


def test_requests_of_all_kinds_cut_at_every_byte(tmp_path: Path) -> None:
    """Cut by the connection's end, and cut within a frame that says it is whole."""
    corpus = recorded(tmp_path / "recorded")
    with RunningBroker(tmp_path / "log") as broker:
        with bystanders(broker):
            for frame in corpus:
                for cut in range(len(frame)):
                    with Raw(broker) as raw:
                        raw.send(struct.pack(">i", len(frame)) + frame[:cut])
                    if cut:
                        with Raw(broker) as raw, suppress(ConnectionError):
                            raw.send(struct.pack(">i", cut) + frame[:cut])
            assert_well(broker)
        assert "Traceback" not in broker.stop()


def test_500_clients_that_never_read_megabytes_of_answers(broker: RunningBroker) -> None:
    broker.create_topic("t")
    broker.produce("t", ["x" * 100_000 for _ in range(200)])
    with bystanders(broker):
        before = memory_mb(broker)
        crowd = []
        for number in range(500):
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", broker.port))
            slow.sendall(b"".join(fetch_request(one, 0, size=8 << 20) for one in range(10)))
            crowd.append(slow)
            if number % 50 == 0:
                assert_well(broker)
        for _ in range(20):
            assert_well(broker)
        # Each may have a chunk in hand and a chunk in the transport, not its 80 MB.
        assert memory_mb(broker) - before < 500 * 0.75
        for slow in crowd:
            slow.close()


def test_a_slow_reader_gets_all_of_it_in_the_end(broker: RunningBroker) -> None:
    broker.create_topic("t")
    values = [f"{number:0100000}" for number in range(150)]
    broker.produce("t", values)
    with Raw(broker) as slow:
        slow.send(b"".join(fetch_request(number, 0, size=8 << 20) for number in range(5)))
        answers = [slow.answer() for _ in range(5)]
    assert [correlation for correlation, _body in answers] == list(range(5))
    bodies = {body for _correlation, body in answers}
    assert len(bodies) == 1
    assert all(value.encode() in bodies.copy().pop() for value in values[:50])


def vanish(connection: socket.socket) -> None:
    """Gone without a word, as by a pulled cable: the kernel sends neither FIN nor RST."""
    try:
        connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        pytest.skip("needs CAP_NET_ADMIN")
    connection.close()


def test_half_open_connections_are_closed_and_hold_nothing(tmp_path: Path) -> None:
    with RunningBroker(tmp_path, limits={"idle_seconds": 3.0}) as broker:
        broker.create_topic("t")
        broker.produce("t", ["x" * 100_000 for _ in range(50)])
        with bystanders(broker):
            gone = [Raw(broker) for _ in range(30)]
            for number, raw in enumerate(gone):
                if number % 3 == 0:
                    raw.send(produce_request(1, b"v")[:40])
                elif number % 3 == 1:
                    raw.send(fetch_request(1, 0, size=8 << 20) * 3)
            silent = Raw(broker)
            wait_until(lambda: _established(broker) >= 31)
            for raw in gone:
                vanish(raw.socket)
            assert silent.is_closed_by_the_broker()
            silent.socket.close()
            wait_until(lambda: _established(broker) < 15)
        assert "Traceback" not in broker.stop()


def _established(broker: RunningBroker) -> int:
    """The broker's connections, as the kernel knows them."""
    port = f":{broker.port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(one[1].endswith(port) and one[3] == "01" for one in fields)
