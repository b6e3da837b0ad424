"""A part of what is told of event types, on Apache Kafka: always, as the whole takes longer."""

import os
from collections.abc import Iterator

import pytest

from tests.conftest import running_granary, wait_for
from tests.event_types import test_kills as kills
from tests.event_types import test_kinds_made as kinds
from tests.event_types import test_samples as samples
from tests.event_types.bodies import body
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


def test_a_name_that_is_used_again_at_once_has_a_topic_of_its_own(on_kafka: Caller) -> None:
    """The brokers list the deleted one for a moment longer: it is not taken over."""
    for _ in range(10):
        on_kafka.post("/event-types/again", body("ttl", "again"))
        wait_for(lambda: "grnry_ttl_again" in kinds.topics(on_kafka), what="its topic")
        on_kafka.delete("/event-types/again")
    wait_for(lambda: "grnry_ttl_again" not in kinds.topics(on_kafka), what="it is gone")


def test_a_record_of_a_live_segment_is_a_row(on_kafka: Caller) -> None:
    kinds.test_a_live_segments_persister_is_started(on_kafka)


def test_one_that_is_killed_while_it_is_made(on_kafka: Caller) -> None:
    place = kills.Place(on_kafka)
    try:
        kills.test_one_that_is_made(on_kafka, place, "ttl")
    finally:
        place.close()
