"""A part of what is told of event types, on Apache Kafka: always, as the whole takes longer."""

import os
from collections.abc import Iterator

import pytest

from tests.conftest import running_granary
from tests.event_types import test_kills as kills
from tests.event_types import test_kinds_made as kinds
from tests.event_types import test_samples as samples
from tests.event_types.calling import Caller


@pytest.fixture(scope="module")
def on_kafka() -> Iterator[Caller]:
    if os.environ.get("GRNRY_TEST_BROKER") == "kafka":
        pytest.skip("All tests run on it.")
    with running_granary(on_kafka=True) as granary:
        assert "broker" not in granary.processes()
        caller = Caller(granary)
        yield caller
        caller.close()


def test_the_samples(on_kafka: Caller) -> None:
    samples.test_samples(on_kafka)


@pytest.mark.parametrize("kind", ["data_in", "live_segment", "profile", "ttl"])
def test_what_a_kind_makes_and_takes_away(on_kafka: Caller, kind: str) -> None:
    kinds.test_what_a_kind_makes_and_takes_away(on_kafka, kind)


def test_a_record_of_a_live_segment_is_a_row(on_kafka: Caller) -> None:
    kinds.test_a_live_segments_persister_is_started(on_kafka)


def test_one_that_is_killed_while_it_is_made(on_kafka: Caller) -> None:
    place = kills.Place(on_kafka)
    try:
        kills.test_one_that_is_made(on_kafka, place, "ttl")
    finally:
        place.close()
