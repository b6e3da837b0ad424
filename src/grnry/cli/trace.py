"""`grnry trace`: says where an event is."""

from typing import Annotated, Any

import typer

from grnry.cli.options import AsJson, Data, EventTypeName, Project, command
from grnry.cli.output import print_json, print_table

COLUMNS = ("where", "correlationId", "eventId", "partition", "offset", "time")


@command
def trace(
    event_type: EventTypeName,
    correlation_id: Annotated[
        str, typer.Option("--correlation-id", help="Whom the event is about.")
    ] = "",
    event_id: Annotated[str, typer.Option("--event-id", help="The event's own id.")] = "",
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say where an event is: waiting in the topic, stored, or in the dead letters and why."""
    from grnry.cli.client import Api, CallFailed, Place
    from grnry.cli.event_types import path

    given = {"correlationId": correlation_id, "eventId": event_id}
    asked = {name: value for name, value in given.items() if value}
    if not asked:
        raise CallFailed("Say which event: --correlation-id, --event-id, or both.")
    answer = Api(Place.of(data)).get(f"{path(project, event_type)}/trace", asked)
    if as_json:
        print_json(answer)
    else:
        _print(answer)
    if not answer["found"]:
        raise CallFailed(_nowhere(answer))


def _print(answer: Any) -> None:
    found = answer["found"]
    if found:
        rows = [[one.get(name) for name in COLUMNS] + [_remark(one)] for one in found]
        print_table(["where", "correlation id", "event id", *COLUMNS[3:], "remark"], rows)
    persister = answer["persister"]
    message = f" ({persister['message']})" if "message" in persister else ""
    print(
        f"{'' if not found else chr(10)}Topic {answer['topic']}, lag {answer['lag']};"
        f" its persister is {persister['status']}{message}."
    )


def _remark(found: Any) -> str:
    remarks = []
    if "ahead" in found:
        remarks.append(f"{found['ahead']} before it")
    if "reason" in found:
        remarks.append(found["reason"])
    if "expires" in found:
        remarks.append(f"expires {found['expires']}")
    if found["where"] == "PASSED":
        remarks.append("read, and no row is there: a duplicate, a deletion, or expired")
    if not found["inTopic"]:
        remarks.append("no longer in the topic")
    return "; ".join(remarks)


def _nowhere(answer: Any) -> str:
    if answer["complete"]:
        return "No such event is in the topic, stored, or in the dead letters."
    return (
        "No such event is stored or in the dead letters. The topic is too large to be searched to "
        "its end: look with `grnry topic` for it."
    )
