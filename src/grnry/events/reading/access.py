"""Who may read which events. Pure.

A role that reads a project reads all events of its types. A role `<type>_<harvester>_read` of the
client `event-api` reads what one harvester sent of one type, of whichever project.
"""

from dataclasses import dataclass

from grnry.identity.access import READ
from grnry.identity.model import EVENT_API, Identity

_ENDING = "_read"


@dataclass(frozen=True, slots=True)
class Grants:
    """What a caller's roles open."""

    projects: tuple[str, ...]
    streams: frozenset[tuple[str, str]]
    """Pairs of an event type and a harvester."""


def grants_of(caller: Identity) -> Grants:
    projects = [
        client for client, roles in caller.roles.items() if not roles.isdisjoint(READ.roles)
    ]
    roles = caller.roles.get(EVENT_API, frozenset())
    streams = [stream for role in roles if (stream := _stream_of(role)) is not None]
    return Grants(tuple(sorted(projects)), frozenset(streams))


def _stream_of(role: str) -> tuple[str, str] | None:
    """An event type's name has no underscore; a harvester's may."""
    if not role.endswith(_ENDING):
        return None
    event_type, _, harvester = role.removesuffix(_ENDING).partition("_")
    return (event_type, harvester) if event_type and harvester else None
