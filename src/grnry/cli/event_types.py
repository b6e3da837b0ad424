"""`grnry event-type …`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from grnry.cli.documents import as_yaml, confirm, differences, parse_json, read_document, read_json
from grnry.cli.event_type_fields import NOT_SHOWN, is_asked, readable
from grnry.cli.event_type_options import (
    CorrelationId,
    Deletion,
    Description,
    DisplayName,
    EventId,
    File,
    Schema,
    Timestamp,
    Ttl,
    Yes,
)
from grnry.cli.options import AsJson, Data, EventTypeName, Project, command
from grnry.cli.output import print_fields, print_json, print_table

app = typer.Typer(
    no_args_is_help=True, help="Describe streams: make, change, look at, delete them."
)


def path(project: str, name: str | None = None) -> str:
    from urllib.parse import quote

    end = f"/{quote(name, safe='')}" if name is not None else ""
    return f"/projects/{quote(project, safe='')}/event-types{end}"


@app.command()
@command
def create(
    name: Annotated[
        str, typer.Argument(help="Letters, digits and hyphens, 20 at most.", metavar="[EVENT_TYPE]")
    ] = "",
    file: File = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--type",
            help="data_in (default), live_segment, profile, segment, ttl, ttn or custom.",
        ),
    ] = None,
    correlation_id: CorrelationId = None,
    event_id: EventId = None,
    timestamp: Timestamp = None,
    deletion: Deletion = None,
    schema: Schema = None,
    display_name: DisplayName = None,
    description: Description = None,
    partitions: Annotated[int | None, typer.Option(help="Partitions of its topic; 32.")] = None,
    ttl: Ttl = None,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make an event type with what its type has: topic, SQL view or table, persister.

    Without --event-id each event gets a random one: then sending it again makes another row.
    """
    from grnry.cli.client import Api, Place

    fields = read_document(file) if file else {}
    fields |= _given(
        type=kind,
        correlationIdExpression=correlation_id,
        eventIdExpression=event_id,
        timestampExpression=timestamp,
        deletionExpression=deletion,
        schema=read_json(schema) if schema else None,
        displayName=display_name,
        description=description,
        partitionCount=partitions,
        eventstoreTTL=ttl,
    )
    name = name or str(fields.get("name") or "")
    fields.setdefault("displayName", name)
    if fields.get("type", "data_in") == "data_in":
        fields.setdefault("eventIdExpression", "#randomUUID()")
    made = Api(Place.of(data)).post(path(project, name or None), fields)
    if as_json:
        print_json(made)
        return
    places = [f"{each['source']} {each['locationName']}" for each in made["physicalLocations"]]
    print(f"Made event type '{made['name']}'" + (f": {', '.join(places)}." if places else "."))
    if made["type"] == "data_in":
        option = "" if project == "global" else f" --project {project}"
        start = f"grnry persister start {made['name']}{option}"
        print(f"Its persister is stopped; start it with: {start}")


@app.command()
@command
def update(
    name: EventTypeName,
    file: File = None,
    correlation_id: CorrelationId = None,
    event_id: EventId = None,
    timestamp: Timestamp = None,
    deletion: Deletion = None,
    schema: Schema = None,
    display_name: DisplayName = None,
    description: Description = None,
    ttl: Ttl = None,
    consumer: Annotated[
        str | None, typer.Option(help="The role that lets others' belts read it.")
    ] = None,
    yes: Yes = False,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Change some fields; those that are not named stay. At a terminal, shows what changes first.

    A change of more than the display name and the description makes a new version.
    """
    from grnry.cli.client import Api, Place

    fields = read_document(file) if file else {}
    fields |= _given(
        correlationIdExpression=correlation_id,
        eventIdExpression=event_id,
        timestampExpression=timestamp,
        deletionExpression=deletion,
        schema=read_json(schema) if schema else None,
        displayName=display_name,
        description=description,
        eventstoreTTL=ttl,
        consumer=consumer,
    )
    api = Api(Place.of(data))
    before = api.get(f"{path(project, name)}/latest")
    if sys.stdin.isatty() and not yes:
        asked = {key: value for key, value in fields.items() if is_asked(key, value, before)}
        lines = list(differences(readable(before), readable({**before, **asked})))
        if lines:
            print("\n".join(lines), file=sys.stderr)
            confirm(f"Change event type '{name}'?", yes=False)
    after = api.put(path(project, name), fields)
    if as_json:
        print_json(after or before)
    elif after is None:
        print(f"Nothing is different: '{name}' stays at version {before['version']}.")
    else:
        print(f"Changed event type '{name}': version {after['version']}.")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


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
    name: EventTypeName,
    version: Annotated[str, typer.Option(help="A number, or `latest`.")] = "latest",
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show one version of an event type."""
    from urllib.parse import quote

    from grnry.cli.client import Api, Place

    found = Api(Place.of(data)).get(f"{path(project, name)}/{quote(version, safe='')}")
    if as_json:
        print_json(found)
        return
    shown = {key: value for key, value in readable(found).items() if value not in (None, "", [])}
    for who in ("createdBy", "modifiedBy"):
        shown[who] = found[who].get("name", "")
    for end in ("inputs", "outputs"):
        if named := [_named(each) for kind in found[end].values() for each in kind]:
            shown[end] = ", ".join(named)
    places = [each["locationName"] for each in found["physicalLocations"]]
    print_fields(shown | ({"physicalLocations": ", ".join(places)} if places else {}))


def _named(each: dict[str, Any]) -> str:
    """What writes or reads it, by the path that finds it."""
    from urllib.parse import urlsplit

    return str(urlsplit(each["_links"]["self"]["href"]).path)


@app.command()
@command
def versions(
    name: EventTypeName, project: Project = "global", data: Data = None, as_json: AsJson = False
) -> None:
    """List the versions of an event type, and what each changed."""
    from grnry.cli.client import Api, Place

    found = Api(Place.of(data)).get(path(project, name))["eventTypes"]
    if as_json:
        print_json(found)
        return
    rows = []
    before: dict[str, Any] = {}
    for each in found:
        own = {key: each[key] for key in each if key not in NOT_SHOWN and "At" not in key[-2:]}
        own = {key: own[key] for key in own if key not in ("version", "createdBy", "modifiedBy")}
        changed = [key for key in own if before and own[key] != before.get(key)]
        who = each["modifiedBy"].get("name", "")
        rows.append((each["version"], each["modifiedAt"], who, ", ".join(changed)))
        before = own
    print_table(("version", "modifiedAt", "by", "changed"), rows)


@app.command()
@command
def export(
    name: EventTypeName,
    version: Annotated[str, typer.Option(help="A number, or `latest`.")] = "latest",
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Print what makes the event type again, as `create -f` reads it: YAML, or JSON with --json."""
    from urllib.parse import quote

    from grnry.cli.client import Api, Place

    where = f"{path(project, name)}/{quote(version, safe='')}"
    found = Api(Place.of(data)).get(where, {"export": "true"})
    if as_json:
        print_json(found)
    else:
        print(as_yaml(readable(found)), end="")


@app.command()
@command
def evaluate(
    payload: Annotated[str, typer.Argument(help="An event as JSON; `-` is the standard input.")],
    event_type: Annotated[
        str | None, typer.Option(help="Take the expressions of this one.", metavar="EVENT_TYPE")
    ] = None,
    correlation_id: CorrelationId = None,
    event_id: EventId = None,
    timestamp: Timestamp = None,
    deletion: Deletion = None,
    header: Annotated[
        list[str] | None, typer.Option(help="A header of the event.", metavar="NAME=VALUE")
    ] = None,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Try expressions out on an event; nothing is stored."""
    from grnry.cli.client import Api, CallFailed, Place

    named = ("correlationId", "eventId", "timestamp", "deletion")
    api = Api(Place.of(data))
    known = api.get(f"{path(project, event_type)}/latest") if event_type else {}
    stored = {f"{each}Expression": known.get(f"{each}Expression") for each in named}
    options = zip(named, (correlation_id, event_id, timestamp, deletion), strict=True)
    asked = _given(**stored) | _given(**{f"{each}Expression": text for each, text in options})
    if not any(asked.values()):
        raise CallFailed("Give an expression, such as --correlation-id, or name an --event-type.")
    if wrong := [each for each in header or () if "=" not in each]:
        raise CallFailed(f"'{wrong[0]}' is no header; write NAME=VALUE.")
    headers = dict(each.partition("=")[::2] for each in header or ())
    event = read_json(Path("-")) if payload == "-" else parse_json(payload, "The event")
    found = api.post(f"{path(project)}:evaluate", {**asked, "payload": event, "headers": headers})
    if as_json:
        print_json(found)
    else:
        print_fields(found)


@app.command()
@command
def purge(
    name: EventTypeName, yes: Yes = False, project: Project = "global", data: Data = None
) -> None:
    """Delete what is stored of an event type, or is left of a deleted one."""
    from grnry.cli.client import Api, Place

    confirm(f"Delete all that is stored of event type '{name}'?", yes=yes)
    done = Api(Place.of(data)).post(f"{path(project, name)}:purge", None)
    rows = "1 row" if done["purged"] == 1 else f"{done['purged']} rows"
    print(f"Deleted {rows} of event type '{name}'.")


@app.command()
@command
def delete(
    name: EventTypeName,
    with_data: Annotated[
        bool, typer.Option("--purge", help="Delete what is stored as well.")
    ] = False,
    yes: Yes = False,
    project: Project = "global",
    data: Data = None,
) -> None:
    """Delete an event type, its persister and its topic; stored events stay, unless purged."""
    from grnry.cli.client import Api, Place

    if with_data:
        confirm(f"Delete event type '{name}' and all that is stored of it?", yes=yes)
    Api(Place.of(data)).delete(path(project, name) + ("?purge=true" if with_data else ""))
    print(f"Deleted event type '{name}'.")
