"""`grnry group …`: consumer groups, how far they are, and where they go on."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from grnry.cli.log import Bootstrap, cluster_of, expect
from grnry.cli.options import AsJson, Data, command
from grnry.cli.output import print_fields, print_json, print_table
from grnry.errors import BadInput, InUse

if TYPE_CHECKING:
    from grnry.log.admin import Admin
    from grnry.log.records import Partition

app = typer.Typer(no_args_is_help=True, help="See and change the consumer groups of the log.")

GroupName = Annotated[str, typer.Argument(help="The group's name.", metavar="GROUP")]


@app.command("list")
@command
def list_groups(bootstrap: Bootstrap = None, data: Data = None, as_json: AsJson = False) -> None:
    """List consumer groups and their state."""
    from grnry.log.admin import Admin

    rows = sorted(Admin(cluster_of(data, bootstrap)).groups().items())
    if as_json:
        print_json([{"name": name, "state": state} for name, state in rows])
    else:
        print_table(("name", "state"), rows)


@app.command()
@command
def show(
    group: GroupName, bootstrap: Bootstrap = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Show who is in a group, and how far it is in each partition.

    Workers of Granary keep their offsets in the database; what the group says follows them.
    """
    from grnry.log.admin import Admin

    admin = Admin(cluster_of(data, bootstrap))
    expect("group", group, admin.groups())
    found = admin.group(group)
    assert found is not None
    readers = {place: one.client for one in found.members for place in one.partitions}
    progress = admin.progress(group, {topic for topic, _ in readers})
    rows = [
        (*place, lag.offset, lag.span.end, lag.records, readers.get(place))
        for place, lag in sorted(progress.partitions.items())
    ]
    columns = ("topic", "partition", "offset", "end", "lag", "member")
    if as_json:
        print_json(
            {
                "name": group,
                "state": found.state,
                "members": [
                    {"id": one.id, "client": one.client, "host": one.host} for one in found.members
                ],
                "lag": progress.lag,
                "partitions": [dict(zip(columns, row, strict=True)) for row in rows],
            }
        )
        return
    members = len(found.members)
    print_fields({"name": group, "state": found.state, "members": members, "lag": progress.lag})
    print()
    print_table(columns, rows)


@app.command()
@command
def reset(
    group: GroupName,
    to: Annotated[
        str,
        typer.Option(
            help="beginning, end, an offset (1200), a time (2026-11-21T12:30:00Z) or how long ago "
            "(15m, 2h, 7d).",
            metavar="PLACE",
        ),
    ],
    topic: Annotated[
        str | None, typer.Option(help="Only in this topic; else in all that it has read.")
    ] = None,
    partition: Annotated[int | None, typer.Option(help="Only in this one.", min=0)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be.")] = False,
    bootstrap: Bootstrap = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Let a group without members go on from another place.

    See first: grnry group reset reports --to 2h --dry-run
    """
    from grnry.cli.places import parse
    from grnry.cli.topic_records import offsets_of
    from grnry.log.admin import Admin

    admin = Admin(cluster_of(data, bootstrap))
    place = parse("--to", to, datetime.now().astimezone())
    before = admin.committed(group)
    wanted = _partitions(admin, group, before, topic, partition)
    offsets = offsets_of(admin, wanted, place)
    if not dry_run:
        admin.reset_group(group, offsets)
    rows = [(*one, before.get(one), offsets[one]) for one in sorted(offsets)]
    columns = ("topic", "partition", "before", "after")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)
        print("Nothing was changed." if dry_run else "Done.")


def _partitions(
    admin: "Admin",
    group: str,
    committed: "dict[Partition, int]",
    topic: str | None,
    partition: int | None,
) -> "list[Partition]":
    known = admin.topics()
    if topic is None:
        expect("group", group, admin.groups())
        found = sorted({one for one in committed if one[1] < known.get(one[0], 0)})
        if not found:
            raise BadInput.of("--topic", "is needed: the group has read no topic yet", "Option")
    else:
        expect("topic", topic, known)
        found = admin.partitions(topic)
    if partition is not None:
        found = [one for one in found if one[1] == partition]
    if not found:
        raise BadInput.of("--partition", f"{partition} is not there", "Option")
    return found


@app.command()
@command
def delete(group: GroupName, bootstrap: Bootstrap = None, data: Data = None) -> None:
    """Delete a group without members, and its offsets."""
    from grnry.log.admin import Admin

    admin = Admin(cluster_of(data, bootstrap))
    expect("group", group, admin.groups())
    try:
        admin.delete_group(group)
    except InUse as error:
        raise InUse(f"The group '{group}' has members: stop them first.") from error
    print(f"Deleted {group}.")
