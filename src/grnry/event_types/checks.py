"""What is asked for, read and found sound or refused with everything that is wrong."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from grnry.errors import AlreadyExists, BadInput, InUse, Problem
from grnry.event_types import names
from grnry.event_types.fields import changed_draft, new_draft
from grnry.event_types.kinds import DATA_IN, KINDS, locations
from grnry.event_types.model import Draft, EventType
from grnry.event_types.schema_documents import incompatibilities


class EventTypeNameTaken(AlreadyExists):
    """Another one has the name, or had it and left data."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Event Type with name '{name}' already exists.")


def display_name_taken(draft: Draft) -> AlreadyExists:
    return AlreadyExists(f"Event Type with displayName '{draft.display_name}' already exists.")


def relation_taken(kind: str, name: str, project: str) -> AlreadyExists:
    return AlreadyExists(
        f"Event Type '{name}' needs '{project}.{KINDS[kind].relation_of(name)}', "
        "but the project has made one itself. Drop or rename it."
    )


def still_read(kind: str, name: str, project: str, by: str) -> InUse:
    relation = f"{project}.{KINDS[kind].relation_of(name)}"
    return InUse(f"Event Type '{name}' is in use: '{relation}' is read by {by}.")


def problems_of_new(
    project: str, name: str | None, given: Mapping[str, Any]
) -> tuple[Draft, list[Problem]]:
    """What a new one is to be, and everything that is wrong with it."""
    kind = given.get("type") or DATA_IN
    laid = locations(kind, project, name) if name and kind in KINDS else []
    draft, problems = new_draft(given, {"physicalLocations": laid})
    problems += draft.problems()
    if name is not None and not names.is_name(name):
        reason = f"must be 1 to {names.LONGEST} letters, digits and hyphens but is '{name}'"
        problems.append(Problem("name", reason))
    if name is None and draft.display_name.strip() and not names.derive(draft.display_name):
        problems.append(Problem("displayName", "must contain a letter, a digit or a hyphen"))
    return draft, problems


def drafted(project: str, name: str | None, given: Mapping[str, Any]) -> Draft:
    """What a new one is to be; without a name, one is derived."""
    draft, problems = problems_of_new(project, name, given)
    return sound(draft, problems)


def changed(latest: EventType, history: Sequence[EventType], given: Mapping[str, Any]) -> Draft:
    """What a change makes of it; a schema has to go with all that it ever had."""
    laid = locations(latest.draft.type, latest.project, latest.name)
    draft, problems = changed_draft(given, latest.draft, {"physicalLocations": laid})
    problems += draft.problems()
    if not problems and draft.schema and draft.schema != latest.draft.schema:
        earlier = [each.draft.schema for each in history if each.draft.schema]
        problems += incompatibilities(draft.schema, earlier)
    return sound(draft, problems)


def sound(draft: Draft, problems: Iterable[Problem]) -> Draft:
    if found := list(problems):
        raise BadInput(found)
    return draft
