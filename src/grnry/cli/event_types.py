"""`grnry event-type …`."""

from typing import Annotated

import typer

from grnry.cli.options import AsJson, Data, EventTypeName, Project, command
from grnry.cli.output import print_fields, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Describe streams: make, look at and delete them.")

SHOWN = (
    "name",
    "displayName",
    "projectName",
    "version",
    "type",
    "description",
    "correlationIdExpression",
    "eventIdExpression",
    "timestampExpression",
    "deletionExpression",
    "topicName",
    "partitionCount",
    "retentionMs",
    "eventstoreTTL",
)


def path(project: str, name: str = "") -> str:
    from urllib.parse import quote

    end = f"/{quote(name, safe='')}" if name else ""
    return f"/projects/{quote(project, safe='')}/event-types{end}"


@app.command()
@command
def create(
    name: Annotated[str, typer.Argument(help="Letters, digits and hyphens, 20 at most.")],
    correlation_id: Annotated[
        str, typer.Option(help="Expression that gives whom or what an event is about.")
    ],
    event_id: Annotated[
        str, typer.Option(help="Expression that gives an event's own id.")
    ] = "#randomUUID()",
    timestamp: Annotated[
        str, typer.Option(help="Expression that gives milliseconds since 1970.")
    ] = "#nowMillis()",
    display_name: Annotated[str, typer.Option(help="Else the name.")] = "",
    description: Annotated[str, typer.Option(help="What the stream is.")] = "",
    partitions: Annotated[int, typer.Option(help="Partitions of its topic.")] = 32,
    ttl: Annotated[str, typer.Option(help="How long events live, ISO 8601.")] = "P100Y",
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make an event type with its topic, its SQL view and its persister."""
    from grnry.cli.client import Api, Place

    body = {
        "displayName": display_name or name,
        "description": description,
        "correlationIdExpression": correlation_id,
        "eventIdExpression": event_id,
        "timestampExpression": timestamp,
        "partitionCount": partitions,
        "eventstoreTTL": ttl,
    }
    made = Api(Place.of(data)).post(path(project, name), body)
    if as_json:
        print_json(made)
    else:
        view = made["physicalLocations"][0]["locationName"]
        print(f"Made event type '{made['name']}': topic {made['topicName']}, view {view}.")
        option = "" if project == "global" else f" --project {project}"
        start = f"grnry persister start {made['name']}{option}"
        print(f"Its persister is stopped; start it with: {start}")


@app.command("list")
@command
def list_(
    search: Annotated[str, typer.Option(help="Part of the display name.")] = "",
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List a project's event types."""
    from grnry.cli.client import Api, Place

    found = Api(Place.of(data)).all(path(project), "eventTypes", search=search)
    if as_json:
        print_json(found)
    else:
        columns = ("name", "displayName", "version", "type", "topicName", "modifiedAt")
        print_table(columns, [[each[column] for column in columns] for each in found])


@app.command()
@command
def show(
    name: EventTypeName, project: Project = "global", data: Data = None, as_json: AsJson = False
) -> None:
    """Show the latest version of an event type."""
    from grnry.cli.client import Api, Place

    found = Api(Place.of(data)).get(f"{path(project, name)}/latest")
    if as_json:
        print_json(found)
    else:
        print_fields({field: found[field] for field in SHOWN})


@app.command()
@command
def delete(name: EventTypeName, project: Project = "global", data: Data = None) -> None:
    """Delete an event type, its persister and its topic; stored events stay."""
    from grnry.cli.client import Api, Place

    Api(Place.of(data)).delete(path(project, name))
    print(f"Deleted event type '{name}'.")
