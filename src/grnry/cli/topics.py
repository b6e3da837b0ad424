"""`grnry topic …`: topics of whichever broker, listed, described, made and deleted."""

import re
from typing import Annotated

import typer

from grnry.cli.log import Bootstrap, cluster_of, expect
from grnry.cli.options import AsJson, Data, command
from grnry.cli.output import print_fields, print_json, print_table
from grnry.cli.topic_records import produce, tail
from grnry.errors import AlreadyExists, BadInput, InUse

app = typer.Typer(
    no_args_is_help=True,
    help="See and change the log's topics, and what is in them.",
)
app.command()(tail)
app.command()(produce)

OURS = "grnry_"
_RETENTION = {"s": 1, "m": 60, "h": 3600, "d": 86400}

TopicName = Annotated[str, typer.Argument(help="The topic's name.", metavar="TOPIC")]


@app.command("list")
@command
def list_topics(
    internal: Annotated[
        bool, typer.Option("--internal", help="Those of the brokers as well (__…).")
    ] = False,
    bootstrap: Bootstrap = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List topics with the number of their partitions."""
    from grnry.log.admin import Admin

    found = Admin(cluster_of(data, bootstrap)).topics()
    rows = [one for one in sorted(found.items()) if internal or not one[0].startswith("__")]
    if as_json:
        print_json([{"name": name, "partitions": count} for name, count in rows])
    else:
        print_table(("name", "partitions"), rows)


@app.command()
@command
def show(
    topic: TopicName, bootstrap: Bootstrap = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Show a topic: its id, its settings, where each partition begins and ends."""
    from grnry.log.admin import Admin

    admin = Admin(cluster_of(data, bootstrap))
    expect("topic", topic, admin.topics())
    found = admin.describe([topic])[topic]
    spans = admin.spans(admin.partitions(topic))
    settings = admin.settings(topic)
    places = [(number, span.start, span.end) for (_, number), span in sorted(spans.items())]
    if as_json:
        print_json(
            {
                "name": topic,
                "id": found.id,
                "replicas": found.replicas,
                "partitions": [
                    {"partition": number, "start": start, "end": end}
                    for number, start, end in places
                ],
                "settings": {name: one.value for name, one in settings.items()},
            }
        )
        return
    given = {name: one.value for name, one in settings.items() if not one.is_default}
    fields = {"name": topic, "id": found.id, "replicas": found.replicas}
    print_fields({**fields, **given})
    print()
    rows = [(number, start, end, end - start) for number, start, end in places]
    print_table(("partition", "start", "end", "records"), rows)


@app.command()
@command
def create(
    topic: TopicName,
    partitions: Annotated[int, typer.Option("--partitions", "-p", min=1)] = 1,
    replicas: Annotated[int, typer.Option(min=1, help="At most as many as brokers.")] = 1,
    retention: Annotated[
        str | None, typer.Option(help="How long records stay: 90m, 12h, 7d; `forever`.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting, again and again.", metavar="NAME=VALUE"),
    ] = None,
    bootstrap: Bootstrap = None,
    data: Data = None,
) -> None:
    """Make a topic.

    Such as: grnry topic create clicks -p 8 --retention 7d --set cleanup.policy=compact
    """
    from grnry.log.admin import Admin

    config = _settings(settings or [])
    if retention is not None:
        config["retention.ms"] = _milliseconds(retention)
    if not Admin(cluster_of(data, bootstrap)).create_topic(topic, partitions, replicas, config):
        raise AlreadyExists(f"There is a topic '{topic}' already.")
    print(f"Made {topic}.")


def _settings(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise BadInput.of("--set", f"is NAME=VALUE, but is '{one}'", "Option")
        found[name] = value
    return found


def _milliseconds(text: str) -> str:
    if text == "forever":
        return "-1"
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if found is None:
        raise BadInput.of("--retention", f"is such as 90m, 12h or 7d, but is '{text}'", "Option")
    return str(int(found[1]) * _RETENTION[found[2]] * 1000)


@app.command()
@command
def delete(
    topic: TopicName,
    force: Annotated[bool, typer.Option("--force", help="Also one of the platform.")] = False,
    bootstrap: Bootstrap = None,
    data: Data = None,
) -> None:
    """Delete a topic and all that is in it."""
    from grnry.log.admin import Admin

    admin = Admin(cluster_of(data, bootstrap))
    expect("topic", topic, admin.topics())
    if topic.startswith((OURS, "__")) and not force:
        raise InUse(
            f"The topic '{topic}' is the platform's: delete what it belongs to, such as its event "
            "type. With --force it is deleted all the same, and what reads it fails."
        )
    admin.delete_topic(topic)
    print(f"Deleted {topic}.")
