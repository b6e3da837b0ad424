"""What an event type has in the log and in the database, made and taken away as one.

The two cannot share a transaction, so the intent is written first and what a crash leaves half
done is undone (`heal`). Whoever works on an event type holds its row: what is unfinished and held
by nobody was left by a process that died.
"""

import logging
import time
from collections.abc import Mapping

from grnry.database.pool import Database
from grnry.database.transaction import Transaction
from grnry.deployments import service as deployments
from grnry.deployments.model import State
from grnry.errors import GranaryError, ServiceAway
from grnry.event_types import relations, store
from grnry.event_types.kinds import KINDS, Kind
from grnry.event_types.model import Draft
from grnry.log.admin import Admin
from grnry.log.records import LARGEST_BATCH
from grnry.persisters import service as persisters
from grnry.persisters.kinds import LIVE_SEGMENT, stream_name
from grnry.persisters.live_segment.service import create_live

logger = logging.getLogger(__name__)

STOP_SECONDS = 30.0
SHARED = Draft(display_name="")
"""What a topic that event types share is made by: the defaults."""


class Undone(ServiceAway):
    """Between the intent and the work somebody took it for what a dead process had left."""


class Builder:
    """Makes and takes away topics, views and persisters."""

    def __init__(self, database: Database, admin: Admin) -> None:
        self._database = database
        self._admin = admin

    def intend(self, name: str, project: str, draft: Draft, author: Mapping[str, str]) -> None:
        """Write down what is to be made. A topic that is there already is never ours to delete."""
        topic = draft.kind.topic_of(name)
        is_ours = bool(draft.kind.topic_prefix) and not self._admin.has_topic(topic or "")
        with self._database.transaction() as transaction:
            store.add(transaction, name, project, draft, author)
            store.owns_topic(transaction, name, yes=is_ours)

    def make(self, name: str, project: str, draft: Draft) -> None:
        """Make what was intended; where that fails, nothing remains.

        Raises `Undone` where the intent is gone, and nothing is made: it can be intended again.
        """
        try:
            with self._database.transaction() as transaction:
                _hold(transaction, name)
                if not self._make_topic(name, draft):
                    store.owns_topic(transaction, name, yes=False)
                schemas = store.former_schemas(transaction, name, draft.type)
                schemas += [draft.schema] if draft.schema else []
                relations.make(transaction, draft.type, name, project, schemas)
                _make_persister(transaction, name, project, draft)
                store.ready(transaction, name)
        except Undone:
            raise
        except Exception:
            self._undo_quietly(name)
            raise

    def _make_topic(self, name: str, draft: Draft) -> bool:
        """Whether it has one that was not there before."""
        topic = draft.kind.topic_of(name)
        if topic is None or self._admin.has_topic(topic):
            return False
        if draft.kind.shared_topic:
            draft = SHARED
        retention = str(draft.retention_ms)
        config = {
            "retention.ms": retention,
            "segment.ms": retention,
            "max.message.bytes": str(LARGEST_BATCH),
        }
        return self._admin.create_topic(topic, draft.partition_count, draft.replication, config)

    def take_away(self, name: str, kind: Kind) -> None:
        """Finish what a deletion has begun: its view is gone, its persister was told to stop."""
        if kind.persister:
            self._wait_until_stopped(stream_name(name, kind.persister))
        self._undo(name)

    def _wait_until_stopped(self, deployment: str) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            with self._database.transaction() as transaction:
                found = deployments.condition(transaction, deployment)
            if found is None or found.state in (State.STOPPED, State.FAILED):
                return
            time.sleep(0.05)

    def _undo(self, name: str) -> None:
        with self._database.transaction() as transaction:
            left = store.give_up(transaction, name)
            if left is None:
                return
            kind = KINDS[left["type"]]
            if left["owns_topic"]:
                self._admin.delete_topic(kind.topic_of(name) or "")
            if kind.persister:
                persisters.delete(transaction, name, kind.persister)
            store.remove(transaction, name)

    def _undo_quietly(self, name: str) -> GranaryError | None:
        """Answers why not, which is told."""
        try:
            self._undo(name)
        except GranaryError as error:
            logger.warning("Event type %s stays half made until it is healed: %s", name, error)
            return error
        return None

    def heal(self) -> None:
        """Undo what a crash, or a log that was away, left half made or half deleted.

        At the start, and before a new one is made, which may want the name of such a one. One that
        the log refuses to let go keeps no other from being healed.
        """
        with self._database.transaction() as transaction:
            unfinished = store.unfinished(transaction)
        for name in unfinished:
            logger.info("Undoing the half made event type %s.", name)
            if isinstance(self._undo_quietly(name), ServiceAway):
                return  # it is away for the others as well, and each would wait for it


def tell_to_stop(transaction: Transaction, name: str, kind: Kind) -> None:
    """What it has that runs; the reconciler sees to it."""
    if kind.persister:
        deployments.stop(transaction, stream_name(name, kind.persister))


def _make_persister(transaction: Transaction, name: str, project: str, draft: Draft) -> None:
    kind = draft.kind
    topic = kind.topic_of(name) or ""
    if kind.persister == LIVE_SEGMENT:
        create_live(transaction, name, topic, project, draft.partition_count)
    elif kind.persister:
        persisters.create(transaction, name, topic)


def _hold(transaction: Transaction, name: str) -> None:
    if not store.hold(transaction, name):
        raise Undone(f"Event Type '{name}' could not be made. Try again.")
