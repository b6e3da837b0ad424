"""What the comparison calls compatible is: no value valid under the old schema is refused."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grnry.schemas import RecordValidator, breaks, live_segment_schema
from grnry.schemas.comparison import Comparison, TooComplex
from grnry.schemas.document import JsonSchema, build, read_schema
from grnry.schemas.errors import SchemaError
from grnry.schemas.known import Known
from grnry.schemas.nodes import Root
from tests.schemas.generating import Schemas
from tests.schemas.values import NAMES, Names, Values

VALUES_OF_EACH = 60
SEEDS = st.integers(min_value=0, max_value=2**48)


def pair(rng: random.Random) -> tuple[JsonSchema, JsonSchema] | None:
    schemas = Schemas(rng, modern=rng.random() < 0.7)
    old = schemas.document()
    new = schemas.changed(old) if rng.random() < 0.9 else schemas.document()
    try:
        return read_schema(old), read_schema(new)
    except SchemaError:
        return None


def compatible(old: JsonSchema, new: JsonSchema, *, lenient: bool) -> bool:
    try:
        found = Comparison().breaks(Known([Root(old).node], lenient=lenient), Root(new).node)
    except TooComplex:
        return False
    return not found


def check(seed: int, *, lenient: bool) -> tuple[bool, int]:
    """Whether the pair of this seed was compatible, and how many values said so too."""
    rng = random.Random(seed)
    schemas = pair(rng)
    if schemas is None or not compatible(*schemas, lenient=lenient):
        return False, 0
    old, new = schemas
    before, after = build(old.document, old.draft), build(new.document, new.draft)
    values, names, count = Values(rng, old.document), Names(old.document), 0
    for _ in range(VALUES_OF_EACH):
        value = values.value(old.document)
        if before.is_valid(value) and not (lenient and names.unnamed(value, [old.document])):
            assert after.is_valid(value), (old.document, new.document, value)
            count += 1
    return True, count


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=SEEDS, lenient=st.booleans())
def test_no_value_of_a_compatible_change_is_refused(seed: int, lenient: bool) -> None:
    check(seed, lenient=lenient)


def test_the_pairs_and_values_are_many_enough_to_prove_something() -> None:
    outcomes = [check(seed, lenient=seed % 2 == 0) for seed in range(150)]
    assert sum(fine for fine, _ in outcomes) > 50
    assert sum(count for _, count in outcomes) > 1_000


def versions(rng: random.Random) -> tuple[JsonSchema, JsonSchema] | None:
    """Two versions of a live segment, with defaults, formats and required properties."""
    schemas = Schemas(rng, modern=True)
    old = schemas.document()
    own = {name: schemas.schema(2) for name in rng.sample(NAMES, 2)}
    own["c"] = {"type": "string", "format": rng.choice(["date", "uuid", "email"])}
    for schema in own.values():
        if isinstance(schema, dict) and "$ref" not in schema and rng.random() < 0.4:
            schema["default"] = Values(rng, old).value(schema)
    old["properties"] = {"id": {"type": "integer"}, **old.get("properties", {}), **own}
    old |= {"type": "object", "required": rng.sample([*own], 2)}
    new = schemas.changed(old, 0.08) if rng.random() < 0.9 else {**old, "required": [*own]}
    try:
        return live_segment_schema(old), live_segment_schema({**new, "type": "object"})
    except SchemaError:
        return None


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=SEEDS)
def test_no_record_that_was_stored_is_refused_by_a_compatible_version(seed: int) -> None:
    rng = random.Random(seed)
    pair_of_versions = versions(rng)
    if pair_of_versions is None or breaks(pair_of_versions[1], pair_of_versions[:1]):
        return
    old, new = pair_of_versions
    before, after = RecordValidator(old), RecordValidator(new)
    values, names = Values(rng, old.document), Names(old.document)
    for _ in range(VALUES_OF_EACH):
        record = values.object(old.document, 4) | {"id": 1}
        record |= {"c": rng.choice(["2024-01-01", "x"])} if rng.random() < 0.5 else {}
        if before.is_valid(record) and not names.unnamed(record, [old.document]):
            assert after.problem(record) is None, (old.document, new.document, record)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=SEEDS)
def test_every_schema_is_compatible_with_itself(seed: int) -> None:
    rng = random.Random(seed)
    schemas = pair(rng)
    if schemas is not None:
        same = read_schema(schemas[0].document)
        assert compatible(schemas[0], same, lenient=False)
