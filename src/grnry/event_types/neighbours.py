"""Who writes and reads event types: the place where other rooms hook in.

A room that refers to event types, as belts and harvesters do, is a `Neighbour`. What it names is
answered as `inputs` and `outputs`, and keeps an event type from being deleted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from grnry.database.transaction import Reading
from grnry.errors import InUse
from grnry.event_types.model import EventType

KINDS_OF_INPUTS = ("harvesters", "belts")
KINDS_OF_OUTPUTS = ("persisters", "belts")


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that writes or reads an event type."""

    event_type: str
    kind: str
    """One of `persisters`, `belts`, `harvesters`."""
    project: str
    path: str
    """Its own, as `/projects/global/belts/1`."""
    writes: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    """What tells it from others of its kind: `{"id": "1"}`."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """More of it, for who asks for that."""


class Neighbour(Protocol):
    """A room whose things refer to event types."""

    def references(self, reading: Reading, names: Sequence[str]) -> Iterable[Reference]:
        """All of them to event types of these names, in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of one event type."""

    inputs: Mapping[str, Sequence[Reference]]
    outputs: Mapping[str, Sequence[Reference]]


def ends_of(event_type: EventType, references: Iterable[Reference]) -> Ends:
    """Those of one event type, by kind."""
    inputs: dict[str, list[Reference]] = {kind: [] for kind in KINDS_OF_INPUTS}
    outputs: dict[str, list[Reference]] = {kind: [] for kind in KINDS_OF_OUTPUTS}
    for each in references:
        if each.event_type == event_type.name:
            (inputs if each.writes else outputs).setdefault(each.kind, []).append(each)
    return Ends(inputs, outputs)


def persister_path(event_type: EventType) -> str:
    kind = event_type.kind.persister
    base = f"/projects/{event_type.project}/event-types/{event_type.name}"
    return f"{base}/eventstores/{kind}/persister"


def refuse_while_used(name: str, references: Iterable[Reference]) -> None:
    """Raise `InUse`, with the paths of who refers to it."""
    users: dict[str, list[str]] = {}
    for each in references:
        paths = users.setdefault(each.kind, [])
        if each.path not in paths:
            paths.append(each.path)
    if users:
        raise InUse(f"Cannot delete Event Type '{name}'.", users)
