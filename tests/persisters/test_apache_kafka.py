"""The main paths of persisters and dead letters on Apache Kafka: always, as the whole takes longer.

Tests of other modules, which get the Granary of this one. Faults over Apache Kafka, a topic that is
made again and replays in which all is killed are in `tests/faults` and `tests/whole`.
"""

import os
from collections.abc import Iterator

import pytest

from tests import test_how_to_dead_letters as how_to_dead_letters
from tests import test_how_to_event_types as how_to_event_types
from tests.conftest import running_granary
from tests.dead_letters import test_api as dead_letters
from tests.event_types.calling import Caller
from tests.events.tracing import test_tracing as tracing
from tests.log.java import needs_java
from tests.persisters import test_api as persisters
from tests.persisters import test_elsewhere as elsewhere
from tests.persisters import test_live_api as live_segments
from tests.persisters import test_own_table as own_table
from tests.persisters.elsewhere import Warehouse
from tests.running import Granary

pytestmark = [
    needs_java,
    pytest.mark.skipif(
        os.environ.get("GRNRY_TEST_BROKER") == "kafka", reason="All tests run on it."
    ),
]


@pytest.fixture(scope="module")
def granary() -> Iterator[Granary]:
    with running_granary(on_kafka=True) as made:
        assert "broker" not in made.processes()
        yield made


@pytest.fixture(scope="module")
def caller(granary: Granary) -> Iterator[Caller]:
    made = Caller(granary)
    yield made
    made.close()


# Events, into the platform's table and into one of the project's.
running = persisters.running
test_events_of_any_client = persisters.test_events_of_any_client
test_a_deleted_name_starts_empty = persisters.test_a_deleted_name_starts_empty_and_its_rows_stay
test_the_way_of_an_event = tracing.test_the_way_of_an_event
test_into_the_projects_table = own_table.test_the_way_of_an_event_into_the_projects_table

# Live segments: what stops one, stops and starts, and a schema that grows while it runs.
name = live_segments.a_live_segment
test_one_bad_record = live_segments.test_one_bad_record_costs_one_record_or_stops_it
test_it_stops_and_starts = live_segments.test_it_stops_and_starts
folder = how_to_event_types.folder
test_how_to_live_segments = how_to_event_types.test_live_segments

# Dead letters and their replay.
poisoned = dead_letters.poisoned
test_edited_replayed_and_dropped = dead_letters.test_edited_replayed_and_dropped
test_one_that_is_stopped = dead_letters.test_one_that_is_stopped_replays_when_it_runs_again
test_dead_letters_of_live_segments = dead_letters.test_live_segments
test_how_to_dead_letters = how_to_dead_letters.test_the_walk

# Another database.
second_server = elsewhere.second_server
warehouse = elsewhere.warehouse
event_type = elsewhere.name


def test_another_database(caller: Caller, event_type: str, warehouse: Warehouse) -> None:
    elsewhere.test_all_of_it_is_in_the_other_database(caller, event_type, warehouse)


def test_dead_letters_there(caller: Caller, event_type: str, warehouse: Warehouse) -> None:
    elsewhere.test_dead_letters_are_seen_replayed_copied_and_dropped(caller, event_type, warehouse)


test_events_expire_there_by_their_age = elsewhere.test_events_expire_there_by_their_age
