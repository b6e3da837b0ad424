"""Copies of dead letters: a topic for each deployment, for who listens there.

Reads: dead letters that have no copy yet.
Writes: the topics `grnry_persister_dlq_<event type>` and `<topic>_dlq`, at least once.

The table is the truth and deployments never wait for a copy. A log that takes none is tried again;
a record that it never takes, such as one that is too large with its headers, is given up.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from grnry.database.pool import Database
from grnry.database.transaction import Row
from grnry.dead_letters import store
from grnry.log.admin import Admin
from grnry.log.producer import Producer
from grnry.log.records import LARGEST_BATCH, LogRefused, Outgoing
from grnry.persisters.kinds import PG
from grnry.sinks import places

logger = logging.getLogger(__name__)

AT_ONCE = 500
BYTES_AT_ONCE = 16 * 2**20
PATIENCE_SECONDS = 60.0
REPLICAS = 3

Kinds = Mapping[str, tuple[str, str]]
"""Of each deployment the kind of its persister, and what it stores."""

_GONE = ("", "")


class Copier:
    """Writes what is not copied yet, at each call."""

    def __init__(
        self,
        database: Database,
        admin: Admin,
        producer: Producer,
        retention_ms: int,
        stopping: threading.Event | None = None,
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._database = database
        self._admin = admin
        self._producer = producer
        self._retention_ms = retention_ms
        self._stopping = stopping or threading.Event()
        self._known: set[str] = set()
        self._patience = patience
        self._failing_since: dict[tuple[str, int], float] = {}
        self._away: set[str] = set()
        self.copied = 0

    def copy(self) -> None:
        """All that are there; raises LogAway where the log takes none."""
        with self._database.transaction() as transaction:
            kinds = store.kinds(transaction)
            others = places.elsewhere(transaction)
        self._copy_all(kinds, None)
        for place in others:
            try:
                self._copy_all({place.name: kinds.get(place.deployment, _GONE)}, place)
            except places.NotThere as error:
                if place.name not in self._away:
                    logger.warning("Its dead letters are copied later: %s", error.message)
                self._away.add(place.name)
            else:
                self._away.discard(place.name)

    def _copy_all(self, kinds: Kinds, place: places.Place | None) -> None:
        """All of the platform's database, or what is ours of another."""
        after = 0
        while not self._stopping.is_set():
            rows: list[Row] = []
            with places.opened(self._database, place) as transaction:
                if transaction is not None:
                    only = place.name if place else None
                    rows = store.not_copied(transaction, only, after, AT_ONCE, BYTES_AT_ONCE)
            if not rows:
                return
            after = rows[-1]["id"]
            self._write_down(self._copy(rows, kinds, place), place)

    def _copy(self, rows: Sequence[Row], kinds: Kinds, place: places.Place | None) -> list[int]:
        """Answers those that are done with."""
        by_topic: dict[str, list[Row]] = defaultdict(list)
        done = []
        for row in rows:
            if (topic := topic_of(row, *kinds.get(row["deployment"], _GONE))) is None:
                done.append(row["id"])
            else:
                by_topic[topic].append(row)
        for topic, some in by_topic.items():
            done += self._send(topic, some, place.name if place else "")
        return done

    def _send(self, topic: str, rows: Sequence[Row], where: str) -> list[int]:
        try:
            self._make(topic)
            outcome = self._producer.send_and_wait(topic, list(map(copy_of, rows)))
        except LogRefused as error:
            outcome = [error.message] * len(rows)
        failed = {row["id"]: why for row, why in zip(rows, outcome, strict=True) if why is not None}
        self.copied += len(rows) - len(failed)
        if failed:
            # It may have been deleted by somebody; and where no broker answers nothing is given up.
            self._known.discard(topic)
            self._admin.brokers()
        given_up = list(self._give_up(topic, failed, where))
        return [row["id"] for row in rows if row["id"] not in failed] + given_up

    def _give_up(self, topic: str, failed: dict[int, str], where: str) -> Iterable[int]:
        for id_, why in failed.items():
            since = self._failing_since.setdefault((where, id_), time.monotonic())
            if time.monotonic() - since >= self._patience:
                logger.warning("Dead letter %d has no copy in %s: %s", id_, topic, why)
                yield id_

    def _make(self, topic: str) -> None:
        if topic in self._known:
            return
        if topic not in self._admin.topics():
            config = {
                "retention.ms": str(self._retention_ms),
                "max.message.bytes": str(LARGEST_BATCH),
            }
            self._admin.create_topic(topic, 1, REPLICAS, config)
            logger.info("Made the topic %s.", topic)
        self._known.add(topic)

    def _write_down(self, ids: Sequence[int], place: places.Place | None) -> None:
        if ids:
            with places.opened(self._database, place) as transaction:
                if transaction is not None:
                    store.copied(transaction, ids)
        for id_ in ids:
            self._failing_since.pop((place.name if place else "", id_), None)


def topic_of(row: Row, kind: str, event_type: str) -> str | None:
    """Where its copy goes; none where its deployment is gone."""
    if not kind:
        return None
    if kind == PG:
        return f"grnry_persister_dlq_{event_type}"
    return f"{row['topic']}_dlq"


def copy_of(row: Row) -> Outgoing:
    """The record as it was, and in its headers what became of it."""
    place = (row["topic"], row["partition"], row["record_offset"])
    state = f"SQLSTATE {row['sqlstate']}: " if row["sqlstate"] else ""
    found = "topic {}, partition {}, offset {}".format(*place)
    own: list[tuple[str, bytes | None]] = [
        ("grnry-exception-message", _text(row["reason"])),
        ("grnry-exception-stacktrace", _text(f"{state}{row['reason']}\n\tat {found}")),
        ("grnry-source-topic", _text(place[0])),
        ("grnry-source-partition", _text(place[1])),
        ("grnry-source-offset", _text(place[2])),
    ]
    given = zip(row["header_names"], row["header_values"], strict=True)
    return Outgoing(row["key"], row["payload"], [*given, *own])


def _text(value: object) -> bytes:
    return str(value).encode()
