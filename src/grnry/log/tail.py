"""Reading a topic without a group: for people who look at it."""

import time
from collections.abc import Iterator, Mapping
from typing import cast

from confluent_kafka import KafkaError, TopicPartition

from grnry.log.cluster import Cluster
from grnry.log.outsider import outsider
from grnry.log.records import Partition, Record
from grnry.log.refusals import refusals, translated

BATCH = 500
WAIT_SECONDS = 0.2


def tail(
    cluster: Cluster | str,
    starts: Mapping[Partition, int],
    ends: Mapping[Partition, int] | None = None,
    until: float | None = None,
) -> Iterator[Record]:
    """The records of partitions from these offsets on, up to `ends`; else what comes, for ever.

    Of one partition in their order. The transactions that were aborted are left out. What is not
    read at `until`, by the monotonic clock, is given up with a TimeoutError.
    """
    left = dict(starts) if ends is None else {p: o for p, o in starts.items() if o < ends[p]}
    if not left:
        return
    client = outsider(cluster, "grnry-tail")
    try:
        client.assign([TopicPartition(*one, offset) for one, offset in left.items()])
        while left:
            if until is not None and time.monotonic() > until:
                raise TimeoutError
            with refusals():
                messages = client.consume(BATCH, WAIT_SECONDS)
            for message in messages:
                partition = (str(message.topic()), int(message.partition() or 0))
                offset = int(message.offset() or 0)
                if (error := message.error()) is not None:
                    if _is_over(error) and ends is not None:
                        left.pop(partition, None)
                    continue
                if partition in left and (ends is None or offset < ends[partition]):
                    yield cast(Record, message)
                if ends is not None and offset + 1 >= ends[partition]:
                    left.pop(partition, None)
    finally:
        client.close()


def _is_over(error: KafkaError) -> bool:
    """Whether there is nothing more at the moment; raises where there never will be."""
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's own name
        return True
    if error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise translated(error)
    return False
