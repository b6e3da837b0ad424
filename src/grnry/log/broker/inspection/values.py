"""What a look at the files gives: plain values, each with its text for people."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

Severity = Literal["damage", "torn", "note"]


@dataclass(frozen=True, slots=True)
class Loss:
    """What is gone when a file is cut at a position, as far as it can still be read."""

    from_offset: int
    next_offset: int | None  # that of the first record that stays; None at the end of the log
    bytes: int
    sound_batches: int  # that follow the damage and would go too
    sound_records: int

    def __str__(self) -> str:
        until = "the end" if self.next_offset is None else f"{self.next_offset - 1}"
        return (
            f"cutting there loses {self.bytes} bytes, offsets {self.from_offset} to {until}, "
            f"{self.sound_records} records of them in {self.sound_batches} sound batches"
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    "damage" needs a decision, "torn" is an unfinished write that the next start cuts by itself,
    a "note" is repaired or ignored without a loss.
    """

    severity: Severity
    path: Path
    what: str
    position: int | None = None
    offset: int | None = None
    loss: Loss | None = None
    remedy: str = ""

    def __str__(self) -> str:
        place = "" if self.position is None else f", byte {self.position}"
        place += "" if self.offset is None else f", offset {self.offset}"
        text = f"{self.severity}: {self.path}{place}: {self.what}"
        if self.loss is not None:
            text += f"; {self.loss}"
        return f"{text}. {self.remedy}" if self.remedy else f"{text}."


@dataclass(frozen=True, slots=True)
class Report:
    """The whole of a data folder. `is_sound` where nothing needs a decision."""

    data: Path
    was_clean: bool  # the broker stopped in order
    topics: int
    partitions: int
    segments: int
    batches: int
    records: int
    bytes: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        return all(one.severity != "damage" for one in self.findings)

    def __str__(self) -> str:
        stopped = "a clean stop" if self.was_clean else "no clean stop"
        counts = (
            f"{self.data}: {self.topics} topics, {self.partitions} written partitions, "
            f"{self.segments} files, {self.batches} batches, {self.records} records, "
            f"{self.bytes} bytes; {stopped}."
        )
        damaged = sum(one.severity == "damage" for one in self.findings)
        verdict = "Sound." if self.is_sound else f"Damaged in {damaged} places."
        return "\n".join([*map(str, self.findings), counts, verdict])


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """One record batch as its header tells."""

    file: str
    position: int
    size: int
    first_offset: int
    last_offset: int
    records: int
    first_time: int
    newest_time: int
    is_broker_time: bool
    codec: str
    leader_epoch: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    is_crc_ok: bool

    def __str__(self) -> str:
        producer = "no producer id"
        if self.producer_id >= 0:
            producer = (
                f"producer {self.producer_id} epoch {self.producer_epoch} "
                f"sequence {self.base_sequence}"
            )
        return (
            f"{self.file}:{self.position} offsets {self.first_offset}-{self.last_offset} "
            f"records {self.records} {_time(self.newest_time)} {self.size} bytes {self.codec} "
            f"leader epoch {self.leader_epoch} {producer} "
            f"crc {'ok' if self.is_crc_ok else 'WRONG'}"
        )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes in which no batch can be told."""

    file: str
    position: int
    size: int

    def __str__(self) -> str:
        return f"{self.file}:{self.position} {self.size} bytes can't be read"


def _time(milliseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"time {milliseconds}"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
