"""Filling a topic as any client would."""

import time
from collections.abc import Iterable

from confluent_kafka import Producer

Headers = list[tuple[str, str | bytes | None]]
Made = tuple[bytes, bytes, Headers]
"""Key, value and headers."""


def fill(bootstrap: str, topic: str, made: Iterable[Made]) -> float:
    """Write all that is made, and wait until the log has it; answers how many a second."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 3,
            "enable.idempotence": True,
            "linger.ms": 20,
            "message.max.bytes": 10_000_000,
            "queue.buffering.max.kbytes": 200_000,
        }
    )
    began, number = time.monotonic(), 0
    for key, value, headers in made:
        while True:
            try:
                producer.produce(topic, value, key, headers=headers)
                break
            except BufferError:
                producer.poll(0.05)
        number += 1
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(300) == 0
    return number / (time.monotonic() - began)
