"""Rows of a live segment: a record to its id and one tuple of binary COPY. Pure.

A line is the schema's version, the id preceded by its length, and the tuple; a line without a tuple
deletes the row.
Values travel in the binary format of their columns. Times and uuids travel as texts, which the
server casts: it knows their every form.
"""

import re
import struct
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any

import msgspec
import orjson

from grnry.persisters.copying import FALSE, NULL, TRUE, jsonb_start, length_of
from grnry.persisters.live_segment.compiled import line_maker
from grnry.persisters.live_segment.keys import key_maker, key_of_deletion, unlikely_id
from grnry.schemas import Column, ColumnType, JsonSchema, RecordValidator, columns_of
from grnry.sinks.target import Unstorable

CAST = frozenset((ColumnType.TIMESTAMPTZ, ColumnType.DATE, ColumnType.UUID))
"""What travels as text."""

Encode = Callable[[Any], bytes]

_COUNT = Struct(">h").pack
_BIGINT = Struct(">iq").pack
_DOUBLE = Struct(">id").pack
_START = Struct(">II")
"""The schema's version, and the length of the id."""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""U+0000 in JSON, and not a backslash before its letters."""
_SAMPLES: dict[ColumnType, Any] = {
    ColumnType.BIGINT: 0,
    ColumnType.DOUBLE: 0.0,
    ColumnType.BOOLEAN: False,
    ColumnType.TEXT: "",
    ColumnType.TIMESTAMPTZ: "2000-01-01T00:00:00Z",
    ColumnType.DATE: "2000-01-01",
    ColumnType.UUID: "00000000-0000-0000-0000-000000000000",
    ColumnType.JSONB: {},
}


class RowMaker:
    """Makes lines of records under one version of a schema."""

    def __init__(self, version: int, schema: JsonSchema) -> None:
        self.version = version
        self.columns = columns_of(schema)
        key = self.columns[0]
        self._key: Encode = key_maker(key.type)
        self._key_type = key.type
        self._validator = RecordValidator(schema)
        self._is_valid = self._validator.is_valid
        self._begin = _COUNT(len(self.columns))
        self._fields = [
            (column.name, _ENCODERS[column.type], _absent(column)) for column in self.columns
        ]
        self._decode = msgspec.json.Decoder().decode
        self.lines = line_maker(version, self.columns, self._validator.may_be_valid, self._key)
        """Those of usual records, each as `line` makes it."""

    def line(self, key: bytes | None, value: bytes | None) -> bytes:
        """What is stored for a record; raises Unstorable where nothing can be."""
        if value is None:
            return self._line(key_of_deletion(self._key_type, key), b"")
        try:
            record = self._decode(value)
            if not self._is_valid(record):
                raise Unstorable(self._validator.problem(record) or "the record is not valid")
            return self._line(self._key(record["id"]), self._tuple(record))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unstorable(_why_unread(value, error)) from error
        except (RecursionError, ValueError) as error:
            # The validator raises the second, and each step ends at a depth of its own.
            raise Unstorable("the record is nested too deeply") from error

    def _tuple(self, record: dict[str, Any]) -> bytes:
        parts = [self._begin]
        get = record.get
        for name, encode, absent in self._fields:
            value = get(name, record)
            if value is record:
                parts.append(absent)
            elif value is None:
                parts.append(NULL)
            else:
                try:
                    parts.append(encode(value))
                except (ValueError, OverflowError) as error:
                    raise Unstorable(f"#/{name}: {error}") from error
        return b"".join(parts)

    def key_of(self, key: bytes | None, value: bytes | None) -> bytes | None:
        """The id of a record of which no line can be made, where it has one that can be read."""
        try:
            if value is None:
                return key_of_deletion(self._key_type, key)
            record = self._decode(value)
            id_: Any = record.get("id") if isinstance(record, dict) else None
            is_number = isinstance(id_, int | float) and not isinstance(id_, bool)
            fits = is_number and id_ == int(id_) if self._is_number else isinstance(id_, str)
            return self._key(id_) if fits else None
        except (ValueError, OverflowError, RecursionError, msgspec.DecodeError, Unstorable):
            return None

    def sample(self) -> bytes:
        """A line that fits the table, about no row that is there."""
        record = {column.name: _SAMPLES[column.type] for column in self.columns}
        record["id"] = unlikely_id(self._key_type)
        return self._line(self._key(record["id"]), self._tuple(record))

    def id_of(self, key: bytes) -> int | str:
        """The id as a value of SQL."""
        return int.from_bytes(key, signed=True) if self._is_number else key.decode()

    def _line(self, key: bytes, row: bytes) -> bytes:
        return b"%b%b%b" % (_START.pack(self.version, len(key)), key, row)

    @property
    def _is_number(self) -> bool:
        return self._key_type is ColumnType.BIGINT


def newest(lines: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The last line of each id counts: the tuples to store, and the ids to delete."""
    last: dict[bytes, bytes] = {}
    size = _START.size
    for line in lines:
        end = size + _START.unpack_from(line)[1]
        last[line[size:end]] = line[end:]
    stored = [row for row in last.values() if row]
    deleted = [key for key, row in last.items() if not row]
    return stored, deleted


def key_in(line: bytes) -> bytes:
    """The id that a line is about."""
    start = _START.size
    return line[start : start + _START.unpack_from(line)[1]]


def version_of(line: bytes) -> int:
    """The version of the schema that a line was made under."""
    version: int = _START.unpack_from(line)[0]
    return version


def _why_unread(value: bytes, error: Exception) -> str:
    """In the words of a reader that names the place."""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError as told:
        error = told
    if isinstance(error, msgspec.ValidationError) or "infinity" in str(error):
        return f"the record has a number that is beyond all range: {error}"
    return f"the record is not JSON: {error}"


def _absent(column: Column) -> bytes:
    """What stands for a property that a record does not have."""
    if column.default is None or column.default.value is None:
        return NULL
    return _ENCODERS[column.type](column.default.value)


def _bigint(value: Any) -> bytes:
    return _BIGINT(8, int(value))


def _double(value: Any) -> bytes:
    try:
        return _DOUBLE(8, value)
    except struct.error:
        raise ValueError("is beyond the range of double precision") from None


def _boolean(value: Any) -> bytes:
    return TRUE if value else FALSE


def _text(value: Any) -> bytes:
    if "\0" in value:
        raise ValueError("has the character U+0000, which a text in PostgreSQL cannot hold")
    encoded: bytes = value.encode()
    return length_of(len(encoded)) + encoded


def _jsonb(value: Any) -> bytes:
    encoded = msgspec.json.encode(value)
    # The server refuses it as well, but only where no later record of the batch has the same id.
    if b"\\u0000" in encoded and _NUL.search(encoded):
        raise ValueError("has the character U+0000, which jsonb in PostgreSQL cannot hold")
    return jsonb_start(len(encoded)) + encoded


_ENCODERS: dict[ColumnType, Encode] = {
    ColumnType.BIGINT: _bigint,
    ColumnType.DOUBLE: _double,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.JSONB: _jsonb,
    **dict.fromkeys((ColumnType.TEXT, *CAST), _text),
}
