"""The event store as a sink's target: COPY straight in, or by a temporary table."""

from collections.abc import Sequence

from grnry.database import sql
from grnry.database.queries import load
from grnry.errors import StartError
from grnry.log.records import Record
from grnry.persisters.rows import COLUMNS, HEADER, TRAILER, event_type_field, row_of
from grnry.sinks.target import Connection

_IDS = ("correlation", "event")
TABLE = sql.Identifier("public", "eventstore")


class EventStore:
    """Stores one event type's events."""

    def __init__(self, event_type: str) -> None:
        queries = load("grnry.persisters", "event_store.sql")
        columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        self._event_type = event_type_field(event_type)
        self._copy = queries.composed("copy", table=TABLE, columns=columns)
        self._make_waiting = queries.composed("make_waiting", table=TABLE, columns=columns)
        self._copy_waiting = queries.composed("copy_waiting", columns=columns)
        self._insert_waiting = queries.composed("insert_waiting", table=TABLE, columns=columns)
        self._can_write = queries.can_write

    def line(self, record: Record) -> bytes:
        return row_of(
            self._event_type,
            record.headers() or (),
            record.value(),
            (record.partition(), record.offset()),
            record.timestamp()[1],
        )

    def sample(self) -> bytes:
        ids = [(f"grnry-{name}-id", b"a sample that is never kept") for name in _IDS]
        return row_of(self._event_type, ids, b"{}", (0, 0), 0)

    def check(self, connection: Connection) -> None:
        row = connection.execute(self._can_write).fetchone()
        if row is None or not row["can_write"]:
            raise StartError("The table public.eventstore is not there, or not ours to write.")

    def refresh(self, connection: Connection, lines: Sequence[bytes]) -> bool:
        return False

    def store(self, connection: Connection, lines: Sequence[bytes]) -> None:
        if lines:
            with connection.cursor().copy(self._copy) as copy:
                copy.write(b"".join((HEADER, *lines, TRAILER)))

    def store_carefully(self, connection: Connection, lines: Sequence[bytes]) -> None:
        connection.execute(self._make_waiting)
        with connection.cursor().copy(self._copy_waiting) as copy:
            copy.write(b"".join((HEADER, *lines, TRAILER)))
        connection.execute(self._insert_waiting)
