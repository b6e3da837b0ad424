"""Dead letters as they are sent and answered."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ConfigDict, Field

from grnry.dead_letters.model import Letter, LetterState, Reason, Source
from grnry.errors import BadInput, Problem
from grnry.http.bodies import AnswerBody, RequestBody, SelfLink
from grnry.http.times import time_text

LARGEST_PARTITION, LARGEST_OFFSET = 2**31 - 1, 2**63 - 1
STATES = " ".join(f"`{state}`" for state in LetterState)


class ReplayBody(RequestBody):
    """Which dead letters are to be replayed: all, those of one reason, or one, perhaps edited."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"partition": 0, "offset": 17, "payload": '{"id": "17"}'}}
    )

    reason: str | None = Field(None, description="Only those that failed for exactly this reason.")
    partition: int | None = Field(None, ge=0, le=LARGEST_PARTITION, description="Only of this one.")
    offset: int | None = Field(
        None, ge=0, le=LARGEST_OFFSET, description="Only this one of a partition."
    )
    payload: str | None = Field(
        None, description="Stored in the place of the record's own. Needs partition and offset."
    )
    payload_base64: str | None = Field(
        None, description="The same, in base64, where it is no text."
    )
    force: bool = Field(
        default=False,
        description="Also those that are superseded: a live segment's row is overwritten, even by"
        " something older.",
    )

    def problems(self, path: Mapping[str, str]) -> Iterable[Problem]:
        if self.offset is not None and self.partition is None:
            yield Problem("partition", "must be given where 'offset' is")
        if self.payload is not None and self.payload_base64 is not None:
            yield Problem("payloadBase64", "must not be given where 'payload' is")
        if self._is_edited and (self.partition is None or self.offset is None):
            yield Problem("offset", "must be given with 'partition' where a payload is")
        try:
            base64.b64decode(self.payload_base64 or "", validate=True)
        except (binascii.Error, ValueError):
            yield Problem("payloadBase64", "must be base64")

    @property
    def _is_edited(self) -> bool:
        return self.payload is not None or self.payload_base64 is not None

    def edited(self) -> bytes | None:
        """The new payload, if there is one; raises BadInput for all that is wrong."""
        if found := list(self.problems({})):
            raise BadInput(found)
        if self.payload is not None:
            return self.payload.encode("utf-8", "surrogatepass")
        return None if self.payload_base64 is None else base64.b64decode(self.payload_base64)


class CountsAnswer(AnswerBody):
    """How many of each state."""

    failed: int = Field(description="Waiting for somebody.", examples=[3])
    queued: int = Field(description="To be stored when their deployment comes to them.")
    replayed: int = Field(description="Stored since.")
    superseded: int = Field(description="Left out, as something newer is stored.")


class CountedAnswer(AnswerBody):
    """A deployment and how many dead letters it has."""

    deployment: str = Field(examples=["grnry-p-pg-calls"])
    event_type_name: str = Field(examples=["calls"])
    counts: CountsAnswer
    expiring: int = Field(description="Failed ones that are dropped soon, as they are old.")
    oldest: str | None = Field(None, description="When the first of them failed that waits.")
    message: str | None = Field(
        None, description="Why they cannot be counted: their database does not answer."
    )


class SourceAnswer(CountedAnswer):
    """A deployment that has dead letters."""

    links: SelfLink = Field(alias="_links")


class SourceList(AnswerBody):
    dead_letters: list[SourceAnswer]
    total_count: int
    links: dict[str, Any] = Field(alias="_links")


class ReasonAnswer(AnswerBody):
    """Why some of them failed."""

    reason: str
    sqlstate: str | None = Field(None, description="PostgreSQL's code, where that refused it.")
    count: int


class HeaderAnswer(AnswerBody):
    name: str
    value: str | None = None
    value_base64: str | None = Field(None, description="In the place of a value that is no text.")


class LetterAnswer(AnswerBody):
    """One dead letter. What is no UTF-8 is in base64."""

    topic: str
    partition: int
    offset: int
    time: str | None = Field(None, description="The record's own.")
    key: str | None = None
    key_base64: str | None = None
    payload: str | None = Field(
        None, description="A list has its first bytes only; the edited one where there is one."
    )
    payload_base64: str | None = None
    payload_bytes: int | None = Field(None, description="How long the whole payload is.")
    headers: list[HeaderAnswer]
    reason: str = Field(description="Why it failed the last time.")
    sqlstate: str | None = None
    first_reason: str | None = Field(None, description="Why it failed at first, if for another.")
    state: str = Field(description=f"One of {STATES}.")
    attempts: int = Field(description="How often it was replayed.")
    edited: bool
    failed_at: str
    requested_at: str | None = None
    requested_by: str | None = None
    settled_at: str | None = Field(None, description="When its last replay ended.")
    former_topic: bool = Field(
        description="Whether its topic was deleted since and made again: its offset is of before."
    )


class LetterList(CountedAnswer):
    """A page of a deployment's dead letters."""

    status: str = Field(description="The deployment's state.", examples=["RUNNING"])
    reasons: list[ReasonAnswer] = Field(description="The most frequent ones.")
    letters: list[LetterAnswer]
    total_count: int
    links: dict[str, Any] = Field(alias="_links")


class QueuedAnswer(AnswerBody):
    queued: int = Field(description="How many are to be replayed.")
    status: str = Field(
        description="The deployment's state: nothing is replayed while it does not run.",
        examples=["RUNNING"],
    )


class DroppedAnswer(AnswerBody):
    dropped: int


def source_answer(source: Source) -> dict[str, Any]:
    return {
        "deployment": source.deployment,
        "eventTypeName": source.event_type,
        "counts": dict(source.counts),
        "expiring": source.expiring,
        **({"oldest": time_text(source.oldest)} if source.oldest else {}),
        **({"message": source.message} if source.message else {}),
    }


def reason_answer(reason: Reason) -> dict[str, Any]:
    state = {} if reason.sqlstate is None else {"sqlstate": reason.sqlstate}
    return {"reason": reason.reason, **state, "count": reason.count}


def letter_answer(letter: Letter) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        **_bytes("key", letter.key),
        **_bytes("payload", letter.payload, is_cut=(letter.size or 0) > len(letter.payload or b"")),
        "headers": [{"name": name, **_bytes("value", value)} for name, value in letter.headers],
        "reason": letter.reason,
        "state": letter.state.value,
        "attempts": letter.attempts,
        "edited": letter.is_edited,
        "failedAt": time_text(letter.failed_at),
        "formerTopic": letter.is_of_former_topic,
    }
    times = {
        "time": letter.record_time,
        "requestedAt": letter.requested_at,
        "settledAt": letter.settled_at,
    }
    texts = {
        "payloadBytes": letter.size,
        "sqlstate": letter.sqlstate,
        "requestedBy": letter.requested_by,
        "firstReason": letter.first_reason if letter.first_reason != letter.reason else None,
    }
    answer |= {name: time_text(moment) for name, moment in times.items() if moment is not None}
    return answer | {name: value for name, value in texts.items() if value is not None}


def _bytes(name: str, value: bytes | None, *, is_cut: bool = False) -> dict[str, str]:
    """As text where it is one; a character that was cut through is left out."""
    if value is None:
        return {}
    for end in range(len(value), max(len(value) - 4, 0) - 1 if is_cut else len(value) - 1, -1):
        try:
            return {name: value[:end].decode()}
        except UnicodeDecodeError:
            continue
    return {f"{name}Base64": base64.b64encode(value).decode()}
