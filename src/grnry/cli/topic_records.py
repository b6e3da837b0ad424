"""`grnry topic tail` and `produce`: the records of a topic, out and in."""

import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from grnry.cli.log import Bootstrap, cluster_of, expect
from grnry.cli.options import AsJson, Data, command
from grnry.errors import BadInput

if TYPE_CHECKING:
    from grnry.cli.places import At
    from grnry.log.admin import Admin
    from grnry.log.records import Outgoing, Partition, Record

LAST = 10
BATCH = 1000

TopicName = Annotated[str, typer.Argument(help="The topic's name.", metavar="TOPIC")]


@command
def tail(
    topic: TopicName,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="beginning, end, an offset (1200), a time (2026-11-21T12:30:00Z) or how long ago "
            "(15m, 2h, 7d).",
            metavar="PLACE",
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            "-n", min=0, help="How many: the last ones (10), or the first ones where --from is."
        ),
    ] = None,
    partition: Annotated[int | None, typer.Option(help="Only this one.", min=0)] = None,
    bootstrap: Bootstrap = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show records: partition/offset, time, key, headers, and the payload.

    The last ten: grnry topic tail grnry_data_in_calls

    What comes from now on: grnry topic tail clicks -f --from end

    The first one of an hour ago, as JSON: grnry topic tail clicks --from 1h -n 1 --json
    """
    from grnry.cli import records as texts
    from grnry.log.admin import Admin

    cluster = cluster_of(data, bootstrap)
    admin = Admin(cluster)
    expect("topic", topic, admin.topics())
    partitions = _partitions(admin, topic, partition)
    show = texts.as_json if as_json else texts.for_people
    place = None if start is None else _place("--from", start)
    from grnry.log.tail import tail as read

    if place is None:
        for record in _last(cluster, admin, partitions, LAST if most is None else most):
            print(show(record))
        if not follow:
            return
    spans = admin.spans(partitions)
    if place is None or place.name == "end":
        starts = {one: span.end for one, span in spans.items()}
    else:
        starts = offsets_of(admin, partitions, place)
    ends = None if follow else {one: span.end for one, span in spans.items()}
    sys.stdout.flush()
    limit = None if place is None else most
    try:
        for record in islice(read(cluster, starts, ends), limit):
            print(show(record), flush=follow)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _place(option: str, text: str) -> "At":
    from grnry.cli.places import parse

    return parse(option, text, datetime.now().astimezone())


def _partitions(admin: "Admin", topic: str, wanted: int | None) -> "list[Partition]":
    found = admin.partitions(topic)
    if wanted is None:
        return found
    if (topic, wanted) not in found:
        raise BadInput.of("--partition", f"is 0 to {len(found) - 1}, but is {wanted}", "Option")
    return [(topic, wanted)]


def _last(
    cluster: object, admin: "Admin", partitions: "list[Partition]", count: int
) -> "list[Record]":
    """The last records of all partitions together, by their time."""
    from grnry.log.cluster import Cluster
    from grnry.log.tail import tail as read

    assert isinstance(cluster, Cluster)
    spans = admin.spans(partitions)
    starts = {one: max(span.start, span.end - count) for one, span in spans.items()}
    found = list(read(cluster, starts, {one: span.end for one, span in spans.items()}))
    found.sort(key=lambda one: (one.timestamp()[1], one.partition(), one.offset()))
    return found[-count:] if count else []


def offsets_of(
    admin: "Admin", partitions: "list[Partition]", place: "At"
) -> "dict[Partition, int]":
    """The offsets of a place, where the partitions have it; else the nearest one there is."""
    if place.offset is None:
        return admin.places(partitions, place.name or place.time_ms or 0)
    spans = admin.spans(partitions)
    return {one: min(max(place.offset, span.start), span.end) for one, span in spans.items()}


@command
def produce(
    topic: TopicName,
    value: Annotated[
        str, typer.Argument(help="The payload; `-` takes each line of stdin as one.")
    ] = "-",
    file: Annotated[
        Path | None, typer.Option("--file", "-F", help="Take the lines of a file.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", "-k", help="The key of all.")] = None,
    key_separator: Annotated[
        str | None,
        typer.Option(help="Each line is KEY, this, and the payload.", metavar="TEXT"),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", help="Again and again.", metavar="NAME=VALUE"),
    ] = None,
    partition: Annotated[int | None, typer.Option(help="Into this one.", min=0)] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Each line is a record as `tail --json` prints it.")
    ] = False,
    bootstrap: Bootstrap = None,
    data: Data = None,
) -> None:
    """Write records; they are in the log when this says so.

    One: grnry topic produce clicks '{"page": 1}' -k u1 -H source=shop

    Each line of a file, as key:payload: grnry topic produce clicks -F lines --key-separator :

    A copy: grnry topic tail clicks --from beginning --json | grnry topic produce copy --json
    """
    from dataclasses import replace

    from grnry.cli.records import from_json
    from grnry.log.admin import Admin
    from grnry.log.producer import Producer
    from grnry.log.records import Outgoing

    cluster = cluster_of(data, bootstrap)
    admin = Admin(cluster)
    expect("topic", topic, admin.topics())
    if partition is not None:
        _partitions(admin, topic, partition)
    headers = tuple(_header(one) for one in header or ())

    def records() -> "Iterator[Outgoing]":
        for number, line in enumerate(_lines(value, file), 1):
            if json_lines:
                made = from_json(line, number)
                yield replace(made, headers=[*made.headers, *headers], partition=partition)
                continue
            own, payload = None if key is None else key.encode(), line
            if key_separator is not None:
                first, found, payload = line.partition(key_separator.encode())
                if not found:
                    raise BadInput.of(str(number), f"has no '{key_separator}'", "Line")
                own = first
            yield Outgoing(own, payload, headers, None, partition)

    producer = Producer(cluster, "grnry-topic-produce")
    try:
        _write(producer, topic, records())
    finally:
        producer.close()


def _write(producer: object, topic: str, records: "Iterator[Outgoing]") -> None:
    from grnry.cli.client import CallFailed
    from grnry.log.producer import Producer

    assert isinstance(producer, Producer)
    written = 0
    while batch := list(islice(records, BATCH)):
        outcome = producer.send_and_wait(topic, batch)
        refused = [(index, why) for index, why in enumerate(outcome, written + 1) if why]
        if refused:
            number, why = refused[0]
            taken = written + len(batch) - len(refused)
            raise CallFailed(
                f"{len(refused)} records were not written, the first of them number {number}: "
                f"{why}. {taken} were."
            )
        written += len(batch)
    print(f"Wrote {written} {'record' if written == 1 else 'records'}.")


def _lines(value: str, file: Path | None) -> Iterator[bytes]:
    if file is None and value != "-":
        yield value.encode("utf-8", "surrogateescape")
        return
    if file is None:
        yield from _without_ends(sys.stdin.buffer)
        return
    try:
        with file.open("rb") as stream:
            yield from _without_ends(stream)
    except OSError as error:
        raise BadInput.of("--file", f"cannot be read: {error.strerror}", "Option") from error


def _without_ends(stream: BinaryIO) -> Iterator[bytes]:
    for line in stream:
        yield line.removesuffix(b"\n").removesuffix(b"\r")


def _header(text: str) -> tuple[str, bytes]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadInput.of("--header", f"is NAME=VALUE, but is '{text}'", "Option")
    return name, value.encode("utf-8", "surrogateescape")
