"""The kinds of event types: which fields each has, and what each makes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from grnry.persisters import kinds as persisters

DATA_IN = "data_in"
LIVE_SEGMENT = "live_segment"
PROFILE = "profile"
SEGMENT = "segment"
TTL = "ttl"
TTN = "ttn"
CUSTOM = "custom"

PROFILE_UPDATES = "profile-update"
"""The topic that all profile event types share."""

EXPRESSIONS = (
    "correlationIdExpression",
    "eventIdExpression",
    "timestampExpression",
    "deletionExpression",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event type."""

    name: str
    own_fields: frozenset[str] = frozenset()
    """Fields that not every kind has."""
    topic_prefix: str = ""
    """Begins the name of its topic, where it has one of its own."""
    shared_topic: str = ""
    relation_prefix: str = ""
    """Begins the name of its view or table in the project's schema."""
    persister: str = ""
    """What its persister is called in paths; none where it has none."""

    def topic_of(self, name: str) -> str | None:
        """The topic of an event type of this kind."""
        return f"{self.topic_prefix}{name}" if self.topic_prefix else self.shared_topic or None

    def relation_of(self, name: str) -> str | None:
        """Its view or table, without the schema."""
        return f"{self.relation_prefix}{name}" if self.relation_prefix else None


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            DATA_IN,
            frozenset(EXPRESSIONS),
            topic_prefix="grnry_data_in_",
            relation_prefix="eventstore_",
            persister=persisters.PG,
        ),
        Kind(TTL, topic_prefix="grnry_ttl_"),
        Kind(TTN, topic_prefix="grnry_ttn_"),
        Kind(
            PROFILE,
            frozenset({"physicalLocations"}),
            shared_topic=PROFILE_UPDATES,
            relation_prefix="profilestore_",
        ),
        Kind(SEGMENT),
        Kind(
            LIVE_SEGMENT,
            frozenset({"schema"}),
            topic_prefix="grnry_live_segment_",
            relation_prefix=persisters.LIVE_TABLE_PREFIX,
            persister=persisters.LIVE_SEGMENT,
        ),
        Kind(CUSTOM, frozenset({"source", "physicalLocations"})),
    )
}


def locations(kind: str, project: str, name: str) -> list[dict[str, str]]:
    """Where the data of an event type lies that the platform lays down itself."""
    known = KINDS[kind]
    found = []
    if relation := known.relation_of(name):
        place = f"{project}.{relation}"
        found.append({"locationName": place, "source": "postgresql", "type": "database"})
    if topic := known.topic_of(name):
        found.append({"locationName": topic, "source": "kafka", "type": "stream"})
    return found
