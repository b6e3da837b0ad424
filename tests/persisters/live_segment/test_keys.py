"""Keys of rows, with the server as the judge of which ids are the same."""

import itertools
from typing import Any

import pytest

from grnry.persisters.live_segment.keys import key_maker, key_of_deletion
from grnry.persisters.live_segment.rows import RowMaker, newest
from grnry.schemas import ColumnType, live_segment_schema
from grnry.sinks.target import Unstorable

MOMENTS = [
    "2016-12-31T23:00:00Z",
    "2016-12-31t23:59:60z",
    "2017-01-01 00:00:00+00:00",
    "2017-01-01T15:59:00+15:59",
    "2016-12-31T23:00:00.1234565Z",
    "2016-12-31T23:00:00.123456Z",
    "2016-12-31T23:00:00.1234575Z",
    "2016-12-31T23:00:00.123458Z",
    "2016-12-31T23:00:00.999999999999999Z",
    "2016-12-31T23:00:01-00:00",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
]
UUIDS = ["0B9F2A54-0000-4000-8000-00000000000A", "0b9f2a54-0000-4000-8000-00000000000a"]
SAME = {ColumnType.TIMESTAMPTZ: MOMENTS, ColumnType.UUID: UUIDS}


@pytest.mark.parametrize("kind", SAME, ids=str)
def test_keys_are_equal_where_ids_are(database: Any, kind: ColumnType) -> None:
    make = key_maker(kind)
    with database.transaction() as transaction:
        for one, other in itertools.combinations(SAME[kind], 2):
            told = b"select %(one)s::T = %(other)s::T".replace(b"T", str(kind).encode())
            is_same = transaction.value(told.decode(), one=one, other=other)
            assert (make(one) == make(other)) is is_same, (one, other)


def rows_of(id_schema: dict[str, str]) -> RowMaker:
    return RowMaker(1, live_segment_schema({"type": "object", "properties": {"id": id_schema}}))


def test_a_deletion_is_about_a_row_however_its_id_is_written() -> None:
    moments = rows_of({"type": "string", "format": "date-time"})
    written = moments.line(None, b'{"id": "2024-01-01T00:00:00Z"}')
    deleted = moments.line(b"2024-01-01T01:00:00+01:00", None)
    assert newest([written, deleted])[0] == []
    assert len(newest([deleted, written])[0]) == 1


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (ColumnType.BIGINT, key)
        for key in (
            *(None, b"", b"x", b"9223372036854775808", b"\xff", b'"', b"1_0", b" 7", b"7 ", b"+7"),
            *(
                b"007",
                b"7.0",
                b"1e2",
                "\N{ARABIC-INDIC DIGIT SEVEN}".encode(),
                b'"1_0"',
                b"9" * 5000,
                b"-",
                b"null",
            ),
        )
    ]
    + [
        (ColumnType.DATE, b"today"),
        (ColumnType.DATE, b"2024-1-1"),
        (ColumnType.TIMESTAMPTZ, b"now"),
        (ColumnType.TIMESTAMPTZ, b"infinity"),
        (ColumnType.UUID, b"0b9f2a54000040008000000000000000"),
        (ColumnType.TEXT, b"a\0"),
        (ColumnType.TEXT, b"x" * 2001),
    ],
)
def test_what_is_no_id_deletes_nothing(kind: ColumnType, key: bytes | None) -> None:
    with pytest.raises(Unstorable):
        key_of_deletion(kind, key)
