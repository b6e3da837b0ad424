"""A live segment's table as a sink's target: the newest record of each id, by COPY and upsert."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.errors import StartError
from grnry.log.records import Record
from grnry.persisters.copying import pieces
from grnry.persisters.live_segment.rows import (
    CAST,
    RowMaker,
    key_in,
    newest,
    version_of,
)
from grnry.schemas import Column, ColumnType, JsonSchema, live_segment_schema
from grnry.sinks.target import (
    Connection,
    Load,
    Refusals,
    Statement,
    Unstorable,
    bring,
    line_or_reason,
)


class LiveTable:
    """Stores one live segment's records.

    It follows the schema's versions by itself: before each batch it asks for the latest, and what
    was made under an earlier one is made anew.
    """

    keeps_first = False
    owns_constraints = False

    def __init__(self, event_type: str, schema: str, table: str) -> None:
        self._event_type = event_type
        self._name = (schema, table)
        self._version = 0
        self._rows: RowMaker
        self._statements: _Statements

    def lines(self, records: Sequence[Record]) -> list[bytes | Unstorable]:
        made: list[bytes | Unstorable] = self._rows.lines(records, partial(line_or_reason, self))
        return made

    def line(self, record: Record) -> bytes:
        return self._rows.line(record.key(), record.value())

    def sample(self) -> bytes:
        return self._rows.sample()

    def check(self, connection: Connection) -> None:
        self._read_versions(connection)
        table = ".".join(f'"{part}"' for part in self._name)
        row = connection.execute(_queries().can_write, {"table": table}).fetchone()
        if row is None or not row["can_write"]:
            raise StartError(f"The table {table} is not there, or not ours to write.")

    def refresh(self, connection: Connection, lines: Sequence[bytes]) -> bool:
        """Whether the schema has another version than the one that lines were made under."""
        values = {"event_type": self._event_type}
        row = connection.execute(_queries().latest_version, values).fetchone()
        if row is not None and row["version"] != self._version:
            self._read_versions(connection)
        # The reader makes lines in the order of the versions, so the first is the oldest.
        return bool(lines) and version_of(lines[0]) != self._version

    def _read_versions(self, connection: Connection) -> None:
        values = {"event_type": self._event_type}
        found = connection.execute(_queries().versions, values).fetchall()
        if not found:
            raise StartError(f"The event type {self._event_type} is not there any more.")
        self.use(found[-1]["version"], live_segment_schema(found[-1]["schema_document"]))

    def use(self, version: int, schema: JsonSchema) -> None:
        """Make lines under this version from now on."""
        self._version = version
        self._rows = RowMaker(version, schema)
        self._statements = _Statements(sql.Identifier(*self._name), version, self._rows.columns)

    def store(self, connection: Connection, lines: Sequence[bytes]) -> None:
        self._store(connection, lines)

    def load(self, connection: Connection, lines: Sequence[bytes]) -> Load:
        """What waits is seen by its own session only, so just the upsert has to be in its turn."""
        return self._load_of(connection, *newest(lines))

    def _store(self, connection: Connection, lines: Sequence[bytes]) -> int:
        """Answers how many rows are inserted or updated."""
        rows, deleted = newest(lines)
        load = self._load_of(connection, rows, deleted)
        if load.copy is not None:
            bring(connection, load.copy, load.pieces)
        for query, values in load.rest:
            connection.execute(query, values)
        return len(rows)

    def _load_of(
        self, connection: Connection, rows: Sequence[bytes], deleted: Sequence[bytes]
    ) -> Load:
        rest = []
        if deleted:
            ids = [str(self._rows.id_of(key)) for key in deleted]
            rest.append(Statement(self._statements.delete, {"ids": ids}))
        if not rows:
            return Load(None, (), rest)
        connection.execute(self._statements.make_waiting)
        rest.append(Statement(self._statements.upsert))
        # An upsert waits for each row that another transaction has written; no DELETE finds those.
        return Load(self._statements.copy_waiting, pieces(rows), rest, rest_sees_rows=bool(deleted))

    def hold(self, connection: Connection) -> None:
        connection.execute(self._statements.hold)

    def store_carefully(self, connection: Connection, lines: Sequence[bytes]) -> int:
        """What waits is gone afterwards, as more may be stored within the same transaction."""
        if count := self._store(connection, lines):
            connection.execute(self._statements.empty_waiting)
        return count

    def refused(self, connection: Connection, lines: Sequence[bytes]) -> Refusals:
        """None: its reader knows all that is refused but what people have the table refuse."""
        return {}

    def key(self, line: bytes) -> bytes | None:
        return key_in(line)

    def key_of(self, record: Record) -> bytes | None:
        return self._rows.key_of(record.key(), record.value())

    def outdates(self, lines: Sequence[bytes]) -> list[tuple[int, bytes, bytes]]:
        return [(at, key, key) for at, key in enumerate(map(key_in, lines))]

    def stored_keys(self, connection: Connection, lines: Sequence[bytes]) -> set[bytes]:
        keys = {str(self._rows.id_of(key)): key for key in map(key_in, lines)}
        found = connection.execute(self._statements.stored, {"ids": list(keys)})
        return {keys[row["id"]] for row in found}


class _Statements:
    """The statements for one version's columns."""

    def __init__(self, table: sql.Identifier, version: int, columns: Sequence[Column]) -> None:
        queries = _queries()
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
        named: dict[str, Any] = {
            "table": table,
            "waiting": sql.Identifier(f"waiting_{version}"),
            "names": names,
            "values": sql.SQL(", ").join(map(_value, columns)),
        }
        others = [sql.Identifier(column.name) for column in columns if column.name != "id"]
        self.make_waiting = queries.composed(
            "make_waiting",
            waiting=named["waiting"],
            columns=sql.SQL(", ").join(map(_waiting_column, columns)),
        )
        self.copy_waiting = queries.composed(
            "copy_waiting", waiting=named["waiting"], names=named["names"]
        )
        self.empty_waiting = queries.composed("empty_waiting", waiting=named["waiting"])
        if others:
            changes = sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(each) for each in others
            )
            self.upsert = queries.composed("upsert", **named, changes=changes)
        else:
            del named["names"]
            self.upsert = queries.composed("insert_ids", **named)
        self.hold = queries.composed("hold", table=table)
        key_type = sql.SQL(columns[0].type.value)
        self.delete = queries.composed("delete", table=table, key_type=key_type)
        self.stored = queries.composed("stored", table=table, key_type=key_type)


def _value(column: Column) -> sql.Composed:
    cast = sql.SQL("::") + sql.SQL(column.type.value) if column.type in CAST else sql.SQL("")
    return sql.Identifier(column.name) + cast


def _waiting_column(column: Column) -> sql.Composed:
    held = ColumnType.TEXT if column.type in CAST else column.type
    return sql.Identifier(column.name) + sql.SQL(" ") + sql.SQL(held.value)


def _queries() -> Queries:
    return load("grnry.persisters.live_segment", "table.sql")
