"""What clients send that is wrong, too much or too early, byte by byte."""

import random
import socket
import struct
from pathlib import Path
from typing import Self

import pytest

from tests.log.broker.batch_maker import batch
from tests.log.broker.running import RunningBroker, wait_until

API_VERSIONS, METADATA, PRODUCE, FETCH = 18, 3, 0, 1


def request(key: int, version: int, correlation: int, body: bytes) -> bytes:
    head = struct.pack(">hhih", key, version, correlation, 1) + b"c"
    return struct.pack(">i", len(head) + len(body)) + head + body


def produce_request(correlation: int, value: bytes, acks: int = -1) -> bytes:
    data = batch(value)
    body = struct.pack(">hhiih1siii", -1, acks, 1000, 1, 1, b"t", 1, 0, len(data)) + data
    return request(PRODUCE, 7, correlation, body)


def fetch_request(correlation: int, offset: int, wait_ms: int = 0, size: int = 1 << 20) -> bytes:
    body = struct.pack(">iiiib", -1, wait_ms, 1, size, 0)
    body += struct.pack(">ih1siiqi", 1, 1, b"t", 1, 0, offset, size)
    return request(FETCH, 4, correlation, body)


class Raw:
    """A connection that speaks in bytes."""

    def __init__(self, broker: RunningBroker) -> None:
        self.socket = socket.create_connection(("127.0.0.1", broker.port), 60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, bytes]:
        (size,) = struct.unpack(">i", self._exactly(4))
        body = self._exactly(size)
        return struct.unpack(">i", body[:4])[0], body[4:]

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            assert part, "the broker closed the connection"
            data += part
        return data

    def is_closed_by_the_broker(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def assert_well(broker: RunningBroker) -> None:
    with Raw(broker) as other:
        other.send(request(METADATA, 1, 5, struct.pack(">i", -1)))
        assert other.answer()[0] == 5


def test_a_too_new_api_versions_is_answered_in_version_0(broker: RunningBroker) -> None:
    with Raw(broker) as raw:
        raw.send(request(API_VERSIONS, 99, 7, b"\xff\xff"))
        correlation, body = raw.answer()
        assert correlation == 7
        code, count = struct.unpack_from(">hi", body)
        assert code == 35
        assert len(body) == 6 + 6 * count


def test_answers_come_in_the_order_of_requests(broker: RunningBroker) -> None:
    broker.create_topic("t")
    with Raw(broker) as raw:
        sent = [
            fetch_request(1, 0, wait_ms=5000),  # waits for the record that comes next
            produce_request(2, b"x"),
            produce_request(3, b"y", acks=0),  # has no answer
            request(METADATA, 1, 4, struct.pack(">i", -1)),
            produce_request(5, b"z"),
        ]
        raw.send(b"".join(sent))
        assert [raw.answer()[0] for _ in range(4)] == [1, 2, 4, 5]


def test_a_request_may_come_byte_by_byte(broker: RunningBroker) -> None:
    broker.create_topic("t")
    with Raw(broker) as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in produce_request(9, b"v"):
            raw.send(bytes([byte]))
        raw.send(produce_request(10, b"w" * 900_000))
        assert [raw.answer()[0] for _ in range(2)] == [9, 10]
    assert len(broker.read_all("t", 2)) == 2


def test_a_request_cut_anywhere_does_no_harm(broker: RunningBroker) -> None:
    broker.create_topic("t")
    whole = produce_request(9, b"v")
    for cut in range(len(whole)):
        with Raw(broker) as raw:
            raw.send(whole[:cut])
    assert_well(broker)
    assert broker.read_all("t", 0) == []


def test_random_bytes_close_only_their_connection(broker: RunningBroker) -> None:
    broker.create_topic("t")
    chance = random.Random(5)
    with Raw(broker) as bystander:
        for _ in range(300):
            with Raw(broker) as raw:
                body = chance.randbytes(chance.randrange(60))
                head = struct.pack(">hh", chance.randrange(62), chance.randrange(13))
                raw.send(struct.pack(">i", len(head + body)) + head + body)
        bystander.send(request(METADATA, 1, 3, struct.pack(">i", -1)))
        assert bystander.answer()[0] == 3
    assert "Traceback" not in broker.stop()


@pytest.mark.parametrize("size", [-1, 0, 2_000_000_000])
def test_a_size_that_can_not_be_closes_the_connection(broker: RunningBroker, size: int) -> None:
    with Raw(broker) as raw:
        raw.send(struct.pack(">i", size))
        assert raw.is_closed_by_the_broker()
    assert_well(broker)


def test_an_announced_size_costs_nothing_before_the_bytes_come(broker: RunningBroker) -> None:
    before = memory_mb(broker)
    connections = [Raw(broker) for _ in range(30)]
    for raw in connections:
        raw.send(struct.pack(">i", 90 << 20) + b"\0\0")
    assert_well(broker)
    assert memory_mb(broker) - before < 60
    for raw in connections:
        raw.socket.close()


def memory_mb(broker: RunningBroker) -> float:
    status = Path(f"/proc/{broker.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line) / 1024


def test_who_does_not_read_holds_up_nobody_and_fills_no_memory(broker: RunningBroker) -> None:
    broker.create_topic("t")
    broker.produce("t", ["x" * 100_000 for _ in range(200)])
    before = memory_mb(broker)
    with Raw(broker) as slow:
        asked = 300
        slow.send(b"".join(fetch_request(number, 0, size=1 << 20) for number in range(asked)))
        for _ in range(20):
            assert_well(broker)
        assert memory_mb(broker) - before < 40
        assert [slow.answer()[0] for _ in range(asked)] == list(range(asked))


def test_500_connections_are_served(broker: RunningBroker) -> None:
    connections = [Raw(broker) for _ in range(500)]
    for number, raw in enumerate(connections):
        raw.send(request(METADATA, 1, number, struct.pack(">i", -1)))
    for number, raw in enumerate(connections):
        assert raw.answer()[0] == number
        raw.socket.close()


def test_too_many_connections_are_refused(tmp_path: Path) -> None:
    with RunningBroker(tmp_path, limits={"connections": 3}) as broker:
        connections = [Raw(broker) for _ in range(3)]
        for raw in connections:
            raw.send(request(METADATA, 1, 1, struct.pack(">i", -1)))
            raw.answer()
        with Raw(broker) as one_more:
            assert one_more.is_closed_by_the_broker()
        connections.pop().socket.close()

        def is_served() -> bool:
            with Raw(broker) as again:
                again.send(request(METADATA, 1, 1, struct.pack(">i", -1)))
                return not again.is_closed_by_the_broker()

        wait_until(is_served)
        for raw in connections:
            raw.socket.close()
