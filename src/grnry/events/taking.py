"""One request's events on their way into the log: batch by batch, the next made ready meanwhile."""

from collections.abc import Mapping, Sequence
from typing import Any

from grnry.events.metadata import MetadataExtractor, Rejected
from grnry.events.streaming import Line, TooLong
from grnry.events.together import Together
from grnry.log.records import LARGEST_RECORD, LogAway, Outgoing

MOST_LISTED = 1000
"""Rejected events that an answer lists; the others it counts."""


class Taking:
    """Counts what was taken and lists what was not."""

    def __init__(
        self,
        together: Together,
        topic: str,
        extractor: MetadataExtractor,
        headers: Mapping[str, str],
    ) -> None:
        self._together = together
        self._topic = topic
        self._extractor = extractor
        self._headers = headers
        self._position = 0
        self._accepted = 0
        self._rejected: list[dict[str, Any]] = []
        self._not_listed = 0

    @property
    def is_empty(self) -> bool:
        return self._position == 0

    async def take(self, events: Sequence[Line]) -> None:
        """Write a batch; done when the log has all of it that is not rejected."""
        if records := self._records(events):
            await self._send(records)

    def answer(self) -> dict[str, Any]:
        answer = {"accepted": self._accepted, "rejected": self._rejected}
        return answer | ({"rejectedNotListed": self._not_listed} if self._not_listed else {})

    def _records(self, events: Sequence[Line]) -> list[Outgoing]:
        records: list[Outgoing] = []
        record, headers = self._extractor.record, self._headers
        for position, event in enumerate(events, self._position):
            if isinstance(event, TooLong):
                most = LARGEST_RECORD
                self._reject(position, f"it has {event.size} bytes, and {most} are the most")
                continue
            try:
                records.append(record(event, headers))
            except Rejected as error:
                self._reject(position, str(error))
        self._position += len(events)
        return records

    def _reject(self, position: int, reason: str) -> None:
        if len(self._rejected) < MOST_LISTED:
            self._rejected.append({"position": position, "reason": reason})
        else:
            self._not_listed += 1

    async def _send(self, records: Sequence[Outgoing]) -> None:
        """Wait until the log has all of them; where it does not, none of them counts as taken."""
        outcome = await self._together.send(self._topic, records)
        reasons = [reason for reason in outcome if reason is not None]
        if reasons:
            before = f" after {self._accepted} that were" if self._accepted else ""
            raise LogAway(
                f"{len(reasons)} of {len(records)} events{before} were not written: {reasons[0]}. "
                "Send the request again; event ids that are not random keep it from doubling."
            )
        self._accepted += len(records)
