"""Numbered events, and the count of what became of each."""

import threading
from collections import Counter

from confluent_kafka import KafkaError, Message, Producer

from tests.conftest import wait_for
from tests.running import Granary


class Numbered:
    """Writes events with numbers as any Kafka client would, and knows which are acknowledged."""

    def __init__(self, bootstrap: str, event_type: str) -> None:
        self._topic = f"grnry_data_in_{event_type}"
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 20,
                "message.timeout.ms": 120_000,
                "log_level": 2,
            }
        )
        self.acknowledged: set[int] = set()
        self.refused: set[int] = set()
        self._next = 0

    def send(self, count: int) -> None:
        """At a pace that leaves time for somebody to be killed meanwhile."""
        for number in range(self._next, self._next + count):
            self._send_one(number)
            if number % 500 == 0:
                self._producer.poll(0.02)
        self._next += count

    def _send_one(self, number: int) -> None:
        def decided(error: KafkaError | None, _message: Message) -> None:
            (self.refused if error else self.acknowledged).add(number)

        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=f"entity-{number % 997}",
                    value=b'{"number": %d, "text": "a \\"quoted\\" text"}' % number,
                    headers=[
                        ("grnry-correlation-id", b"entity-%d" % (number % 997)),
                        ("grnry-event-id", b"%d" % number),
                        ("grnry-event-type-version", b"1"),
                        ("grnry-event-timestamp", b"1700000000000"),
                    ],
                    on_delivery=decided,
                )
                self._producer.poll(0)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def wait_for_progress(self) -> None:
        """Until the log has some more of them, and not yet all."""
        before = len(self.acknowledged)

        def progressed() -> bool:
            self._producer.poll(0.01)
            return len(self.acknowledged) > before

        wait_for(progressed, what="some more are acknowledged")

    def finish(self) -> None:
        assert self._producer.flush(120) == 0, "some events are undecided"

    def send_in_background(self, count: int) -> threading.Thread:
        thread = threading.Thread(target=self.send, args=(count,))
        thread.start()
        return thread


def stored(granary: Granary, event_type: str) -> list[int]:
    """The number of every row."""
    with granary.platform() as connection:
        rows = connection.execute(
            "select (message->>'number')::int as number from public.eventstore"
            " where event_type = %s",
            [event_type],
        ).fetchall()
    return [int(row["number"]) for row in rows]


def verdict(acknowledged: set[int], rows: list[int]) -> str:
    """`lost 0, double 0`, and some of the numbers where it is not so."""
    lost = acknowledged - set(rows)
    double = [number for number, count in Counter(rows).items() if count > 1]
    some = f" {sorted(lost)[:5]} {double[:5]}" if lost or double else ""
    return f"lost {len(lost)}, double {len(double)}{some}"
