"""Events of many requests, handed to the log's client together.

Each batch costs the client's thread a word to the event loop when it is decided. Where thousands of
requests bring one event each, what they bring in the same turn of the loop is one batch.
"""

import asyncio
from collections.abc import Sequence

from grnry.log.producer import Outcome, Producer
from grnry.log.records import Outgoing

MOST = 1000

_Waiting = list[tuple[int, asyncio.Future[Outcome]]]
"""How many records of a batch are whose."""


class Together:
    """Used from one event loop."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._records: dict[str, list[Outgoing]] = {}
        self._waiting: dict[str, _Waiting] = {}

    async def send(self, topic: str, records: Sequence[Outgoing]) -> Outcome:
        """Why each record was not written, or nothing; when the log has decided all of them."""
        loop = asyncio.get_running_loop()
        decided: asyncio.Future[Outcome] = loop.create_future()
        if topic not in self._records:
            self._records[topic], self._waiting[topic] = [], []
            loop.call_soon(self._hand_over, loop, topic)
        self._records[topic].extend(records)
        self._waiting[topic].append((len(records), decided))
        if len(self._records[topic]) >= MOST:
            self._hand_over(loop, topic)
        return await decided

    def _hand_over(self, loop: asyncio.AbstractEventLoop, topic: str) -> None:
        records = self._records.pop(topic, None)
        if records is None:  # they were too many to wait for the next turn
            return
        waiting = self._waiting.pop(topic)

        def done(outcome: Outcome) -> None:
            loop.call_soon_threadsafe(_tell, waiting, outcome)

        self._producer.send(topic, records, done)


def _tell(waiting: _Waiting, outcome: Outcome) -> None:
    start = 0
    for count, decided in waiting:
        if not decided.done():  # who has gone away waits no more
            decided.set_result(outcome[start : start + count])
        start += count
