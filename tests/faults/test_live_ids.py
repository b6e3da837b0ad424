"""However an id of the load is written, it is one row, and none of another id."""

import json
import random

import pytest

from grnry.persisters.live_segment.rows import RowMaker, key_in
from grnry.schemas import live_segment_schema
from grnry.sinks.target import Unstorable
from tests.faults.live_ids import KINDS, Ids, name_of, partition_of
from tests.faults.live_records import schema_of

IDS, WAYS = 500, 20


@pytest.fixture(params=KINDS)
def ids(request: pytest.FixtureRequest) -> Ids:
    return Ids(request.param)


@pytest.fixture
def rows(ids: Ids) -> RowMaker:
    return RowMaker(1, live_segment_schema(schema_of(1, ids)))


def test_however_it_is_written_it_is_the_same_row(ids: Ids, rows: RowMaker) -> None:
    chance, seen = random.Random(1), set[bytes]()
    for index in range(IDS):
        id_ = ids.of(index)
        told = [ids.spelled(id_, chance) for _ in range(WAYS)]
        keys = {
            key_in(rows.line(None, json.dumps({"id": each, "number": 1}).encode())) for each in told
        }
        keys |= {key_in(rows.line(ids.key(id_, chance), None)) for _ in range(WAYS)}
        assert len(keys) == 1, (id_, told)
        seen |= keys
    assert len(seen) == IDS


def test_ids_have_names_and_partitions_of_their_own(ids: Ids) -> None:
    made = [ids.of(index) for index in range(3000)]
    assert len({*map(name_of, made)}) == len(made)
    assert {partition_of(id_, 8) for id_ in made} == {*range(8)}


def test_what_is_no_id_is_none(ids: Ids, rows: RowMaker) -> None:
    for wrong in (ids.beyond, ids.other(ids.of(1)), None):
        with pytest.raises(Unstorable):
            rows.line(None, json.dumps({"id": wrong, "number": 1}).encode())
