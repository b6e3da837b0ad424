import pytest

from grnry.event_types.kinds import KINDS, locations


@pytest.mark.parametrize(
    ("kind", "topic", "relation", "persister"),
    [
        ("data_in", "grnry_data_in_Calls", "eventstore_Calls", "pg"),
        ("live_segment", "grnry_live_segment_Calls", "grnry_live_sgmt_Calls", "live-segment"),
        ("profile", "profile-update", "profilestore_Calls", ""),
        ("segment", None, None, ""),
        ("ttl", "grnry_ttl_Calls", None, ""),
        ("ttn", "grnry_ttn_Calls", None, ""),
        ("custom", None, None, ""),
    ],
)
def test_what_belongs_to_a_name(
    kind: str, topic: str | None, relation: str | None, persister: str
) -> None:
    found = KINDS[kind]
    assert found.topic_of("Calls") == topic
    assert found.relation_of("Calls") == relation
    assert found.persister == persister


def test_locations() -> None:
    assert locations("data_in", "global", "Calls") == [
        {"locationName": "global.eventstore_Calls", "source": "postgresql", "type": "database"},
        {"locationName": "grnry_data_in_Calls", "source": "kafka", "type": "stream"},
    ]
    assert locations("segment", "global", "Calls") == []
