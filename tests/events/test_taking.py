"""Events on their way into the log: together, within bounds, and refused where the log is away."""

import asyncio
import gzip
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grnry.events.together import MOST, Together
from grnry.log.producer import Outcome, Producer
from grnry.log.records import Outgoing
from tests.conftest import wait_for
from tests.event_types.calling import Caller
from tests.events.test_collector import log_of
from tests.running import Granary


@pytest.fixture
def producer(caller: Caller) -> Iterator[Producer]:
    made = Producer(caller.granary.said["kafka"], "test-together")
    yield made
    made.close()


@pytest.fixture(scope="module")
def own() -> Iterator[Granary]:
    """One whose collector has little room, and whose broker may be killed."""
    folder = Path(tempfile.mkdtemp(prefix="grnry-taking-"))
    granary = Granary(folder / "data", GRNRY_COLLECTOR_MB="1").start()
    yield granary
    granary.stop()
    shutil.rmtree(folder)


def test_many_requests_are_told_of_their_own_records(caller: Caller, producer: Producer) -> None:
    name = caller.make(partitionCount=1)
    topic = f"grnry_data_in_{name}"
    too_large = Outgoing(b"k", b"x" * 20 * 2**20)

    async def go() -> Sequence[Outcome]:
        together = Together(producer)
        fine = [Outgoing(b"k", b"%d" % number) for number in range(3)]
        return await asyncio.gather(
            together.send(topic, fine[:1]),
            together.send(topic, [fine[1], too_large, fine[2]]),
            together.send(topic, []),
            together.send(topic, [Outgoing(b"k", b"3")] * MOST),
            together.send(topic, fine[:1]),
        )

    first, second, none, many, last = asyncio.run(go())
    assert (first, none, last) == ([None], [], [None])
    assert second[0] is second[2] is None
    assert second[1] is not None
    assert many == [None] * MOST
    assert len(log_of(caller, name, MOST + 4)) == MOST + 4


def test_a_log_that_is_away_is_a_503_and_then_it_goes_on(own: Granary) -> None:
    own.do("event-type", "create", "away", "--correlation-id", "payload.user")
    caller = Caller(own)
    packed = gzip.compress(b'{"user": "u"}\n' * 5000)
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    path = "/event-types/away/events"
    assert caller.http.post(path, content=packed, headers=headers).status_code == 202
    os.kill(own.pid("broker"), signal.SIGSTOP)
    refused = caller.http.post(path, content=packed, headers=headers)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "events were not written" in refused.json()["message"]
    os.kill(own.pid("broker"), signal.SIGCONT)
    wait_for(
        lambda: caller.http.post(path, content=packed, headers=headers).status_code == 202,
        seconds=60,
        what="events are taken again",
    )
    caller.close()


def test_more_than_there_is_room_for_is_a_503_to_be_sent_again(own: Granary) -> None:
    own.do("event-type", "create", "calls", "--correlation-id", "payload.user")
    caller = Caller(own)
    large = b'{"user": "u", "text": "%b"}' % (b"x" * 700_000)
    path = "/event-types/calls/events"

    def send(_: int) -> tuple[int, str]:
        answer = caller.http.post(path, content=large)
        return answer.status_code, answer.headers.get("Retry-After", "")

    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(send, range(64)))
    assert (202, "") in answers
    assert answers <= {(202, ""), (503, "1")}
    assert send(0) == (202, "")
    caller.close()


def resident_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def test_a_long_body_of_lines_is_never_in_memory(own: Granary) -> None:
    own.do("event-type", "create", "long", "--correlation-id", "payload.user")
    caller = Caller(own)
    line = b'{"user": "u", "text": "%b"}\n' % (b"x" * 200_000)
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}

    def send(count: int) -> None:
        body = gzip.compress(line * count, 1)
        answer = caller.http.post("/event-types/long/events", content=body, headers=headers)
        assert caller.expect(answer, 202) == {"accepted": count, "rejected": []}

    send(50)  # what is made once, such as the buffers of the log's client
    before = resident_mb(own.pid("api"))
    send(1500)
    grown = resident_mb(own.pid("api")) - before
    assert grown < 100  # of 300
    caller.close()
