"""The event store as a sink's target: COPY straight in, or by a temporary table.

Deletion events give what is stored already the day on which it goes.
"""

from collections.abc import Sequence
from functools import partial

from grnry.database import sql
from grnry.database.queries import load
from grnry.log.records import Record
from grnry.persisters.copying import pieces
from grnry.persisters.deletions import Deletion, has_no_deletions, parts
from grnry.persisters.homes import Home, PlatformTable
from grnry.persisters.names import name_of, names_of_deletion, parts_of, row_name
from grnry.persisters.ordered import OrderedRows
from grnry.persisters.rows import (
    COLUMNS,
    IsDeletion,
    event_type_field,
    message_of,
    row_of,
)
from grnry.sinks.target import Connection, Load, Refusals, Unstorable, bring, line_or_reason

_IDS = ("correlation", "event")
GRACE = "P5D"
"""How long what is to be deleted stays, where nothing else is said."""


class EventStore:
    """Stores one event type's events.

    `grace` is the duration for which events stay that a deletion is about. Where the type's ids are
    random a deletion means all events of its entity.
    """

    keeps_first = True
    owns_constraints = True

    def __init__(
        self,
        event_type: str,
        grace: str = GRACE,
        home: Home | None = None,
        *,
        random_ids: bool = False,
    ) -> None:
        self._name = event_type
        self._grace = grace
        self._home = home or PlatformTable()
        self._random_ids = random_ids
        queries = load("grnry.persisters", "event_store.sql")
        columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        table = sql.Identifier(*self._home.name)
        self._event_type = event_type_field(event_type)
        self._rows = OrderedRows(event_type)
        self._copy = queries.composed("copy", table=table, columns=columns)
        self._make_waiting = queries.composed("make_waiting", table=table, columns=columns)
        self._copy_waiting = queries.composed("copy_waiting", columns=columns)
        self._insert_waiting = queries.composed("insert_waiting", table=table, columns=columns)
        self._make_refusal, self._refusals = queries.make_refusal, queries.refusals
        rows = self._home.rows
        self._expire_events = queries.composed("expire_events", rows=rows)
        self._expire_entities = queries.composed("expire_entities", rows=rows)
        self._stored_events = queries.composed("stored_events", rows=rows)

    def lines(self, records: Sequence[Record]) -> list[bytes | Unstorable]:
        return self._rows.of(records, partial(line_or_reason, self))

    def line(self, record: Record) -> bytes:
        headers = record.headers() or ()
        try:
            return row_of(
                self._event_type,
                headers,
                record.value(),
                (record.partition(), record.offset()),
                record.timestamp()[1],
            )
        except IsDeletion:
            deletion = Deletion.of(dict(headers), random_ids=self._random_ids)
            assert deletion is not None
            return deletion

    def sample(self) -> bytes:
        ids = [(f"grnry-{name}-id", b"a sample that is never kept") for name in _IDS]
        return row_of(self._event_type, ids, b"{}", (0, 0), 0)

    def check(self, connection: Connection) -> None:
        self._home.check(connection)
        self._random_ids |= self._home.has_random_ids(connection, self._name)

    def refresh(self, connection: Connection, lines: Sequence[bytes]) -> bool:
        return False

    def store(self, connection: Connection, lines: Sequence[bytes]) -> None:
        self._home.enter(connection)
        for rows, deletions in parts(lines):
            if rows:
                bring(connection, self._copy, pieces(rows))
            self._expire(connection, deletions)

    def load(self, connection: Connection, lines: Sequence[bytes]) -> Load | None:
        """A row waits for one of its key that is not committed, so that nothing is left to do."""
        if not has_no_deletions(lines):
            return None
        self._home.enter(connection)
        # Neighbours in the key stand on the same pages of its index.
        return Load(self._copy, pieces(sorted(lines)), holds_keys=True)

    def key(self, line: bytes) -> bytes | None:
        return None if isinstance(line, Deletion) else row_name(line)

    def key_of(self, record: Record) -> bytes | None:
        return name_of(dict(record.headers() or ()))

    def outdates(self, lines: Sequence[bytes]) -> list[tuple[int, bytes, bytes]]:
        """A stored event stays; a deletion is about all that was sent before it."""
        if has_no_deletions(lines):
            return []
        return [
            (at, *names_of_deletion(line))
            for at, line in enumerate(lines)
            if isinstance(line, Deletion)
        ]

    def stored_keys(self, connection: Connection, lines: Sequence[bytes]) -> set[bytes]:
        self._home.enter(connection)
        names = [name for line in lines if (name := self.key(line)) is not None]
        ids = [found for name in names if (found := parts_of(name)) is not None]
        values = {
            "event_type": self._name,
            "correlation_ids": [correlation_id for correlation_id, _ in ids],
            "event_ids": [event_id for _, event_id in ids],
        }
        rows = connection.execute(self._stored_events, values)
        return {f"{row['correlation_id']}\0{row['event_id']}".encode() for row in rows}

    def hold(self, connection: Connection) -> None:
        self._home.hold(connection)

    def store_carefully(self, connection: Connection, lines: Sequence[bytes]) -> int:
        self._home.enter(connection)
        connection.execute(self._make_waiting)
        count = 0
        for rows, deletions in parts(lines):
            if rows:
                bring(connection, self._copy_waiting, pieces(rows))
                connection.execute(self._insert_waiting)
                count += len(rows)
            self._expire(connection, deletions)
        return count

    def refused(self, connection: Connection, lines: Sequence[bytes]) -> Refusals:
        """Messages that are not JSON, as the database has it."""
        connection.execute(self._make_refusal)
        messages = [None if isinstance(line, Deletion) else message_of(line) for line in lines]
        rows = connection.execute(self._refusals, {"messages": messages})
        return {
            row["place"]: (": ".join(filter(None, row["said"])), row["sqlstate"]) for row in rows
        }

    def _expire(self, connection: Connection, deletions: Sequence[Deletion]) -> None:
        """Set the end of what is stored and has none yet."""
        events = [one for one in deletions if one.event_id is not None]
        entities = {one.correlation_id for one in deletions if one.event_id is None}
        values: dict[str, object] = {"event_type": self._name, "grace": self._grace}
        if events:
            ids = {
                "correlation_ids": [one.correlation_id for one in events],
                "event_ids": [one.event_id for one in events],
            }
            connection.execute(self._expire_events, {**values, **ids})
        if entities:
            named = {"correlation_ids": sorted(entities)}
            connection.execute(self._expire_entities, {**values, **named})
