"""`grnry dlq …`: dead letters, seen, replayed, put right and dropped."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grnry.cli.options import AsJson, Data, Project, command
from grnry.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from grnry.cli.client import Api

app = typer.Typer(
    no_args_is_help=True, help="See what could not be stored; replay, put right, or drop it."
)

Name = Annotated[
    str, typer.Argument(help="An event type, or a deployment as `list` shows it.", metavar="NAME")
]
OnlyReason = Annotated[
    str, typer.Option("--reason", help="Only what failed for exactly this reason.")
]
Place = Annotated[str, typer.Option("--at", help="Only this record.", metavar="PARTITION:OFFSET")]
NeededPlace = Annotated[str, typer.Argument(help="Which record.", metavar="PARTITION:OFFSET")]
Force = Annotated[
    bool,
    typer.Option("--force", help="Also what is superseded: overwrite a live segment's newer row."),
]
Wait = Annotated[
    float,
    typer.Option("--wait", help="Seconds to wait until all is replayed.", min=0, metavar="S"),
]
COUNTS = ("failed", "queued", "replayed", "superseded")
LETTERS = ("partition", "offset", "state", "attempts", "failedAt", "reason")
LOOK_SECONDS = 0.2


@app.command("list")
@command
def list_sources(project: Project = "global", data: Data = None, as_json: AsJson = False) -> None:
    """List which deployments have dead letters, and how many."""
    found = _api(data).all(_path(project), "deadLetters")
    if as_json:
        print_json([_without_links(one) for one in found])
        return
    rows = [
        (one["deployment"], *(one["counts"][each] for each in COUNTS), one["expiring"])
        for one in found
    ]
    print_table(("deployment", *COUNTS, "expiring"), rows)


@app.command()
@command
def show(
    name: Name,
    at: Place = "",
    reason: OnlyReason = "",
    state: Annotated[str, typer.Option(help="failed, queued, replayed, superseded, or all.")] = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=250)] = 20,
    offset: Annotated[int, typer.Option(help="How many to leave out before.", min=0)] = 0,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show why records failed, and the records; one of them whole, with --at."""
    api = _api(data)
    place = _place_of(api, project, name)
    if at:
        letter = api.get(_record(place, at))
        print_json(letter) if as_json else _print_letter(letter)
        return
    given = {"reason": reason, "state": state}
    asked = {key: value for key, value in given.items() if value}
    answer = api.get(place, {**asked, "pagesize": limit, "offset": offset})
    if as_json:
        print_json(_without_links(answer))
    else:
        _print_letters(answer, offset)


@app.command()
@command
def replay(
    name: Name,
    reason: OnlyReason = "",
    at: Place = "",
    force: Force = False,
    wait: Wait = 0,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Store once more what failed: all, what failed for one reason, or one record."""
    api = _api(data)
    place = _place_of(api, project, name)
    body = {**_at(at), **({"reason": reason} if reason else {}), "force": force}
    _replay(api, place, body, wait, as_json=as_json)


@app.command()
@command
def edit(
    name: Name,
    at: NeededPlace,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-F", help="Take the payload from it; - is the standard input."),
    ] = None,
    force: Force = False,
    wait: Wait = 0,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Put a record's payload right and replay it; in $EDITOR, where no file is given."""
    api = _api(data)
    place = _place_of(api, project, name)
    payload = _in_editor(api.get(_record(place, at))) if file is None else _read(file)
    _replay(api, place, {**_at(at), **_payload(payload), "force": force}, wait, as_json=as_json)


@app.command()
@command
def drop(
    name: Name,
    reason: OnlyReason = "",
    at: Place = "",
    state: Annotated[
        str, typer.Option(help="failed, queued, replayed, superseded, or all (the default).")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Drop dead letters for good: all, what failed for one reason, or one record."""
    from urllib.parse import urlencode

    from grnry.cli.documents import confirm

    api = _api(data)
    place = _place_of(api, project, name)
    given = {"reason": reason, "state": state, **_at(at)}
    asked = {key: value for key, value in given.items() if value != ""}
    confirm(f"Drop dead letters of {name} for good?", yes=yes)
    answer = api.delete_with_answer(f"{place}?{urlencode(asked)}" if asked else place)
    if as_json:
        print_json(answer)
    else:
        print(f"Dropped {answer['dropped']}.")


# What they share -------------------------------------------------------------------------------


def _api(data: Path | None) -> "Api":
    from grnry.cli import client

    return client.Api(client.Place.of(data))


def _path(project: str) -> str:
    from urllib.parse import quote

    return f"/projects/{quote(project, safe='')}/dead-letters"


def _place_of(api: "Api", project: str, name: str) -> str:
    """The path of a deployment's dead letters, which an event type's name stands for as well."""
    from urllib.parse import quote

    from grnry.cli.client import CallFailed

    names: dict[str, str] = {}
    for one in api.all(_path(project), "deadLetters"):
        names |= {one["deployment"]: one["deployment"], one["eventTypeName"]: one["deployment"]}
    if name not in names:
        raise CallFailed(f"There are no dead letters of '{name}'. `grnry dlq list` shows who has.")
    return f"{_path(project)}/{quote(names[name], safe='')}"


def _at(text: str) -> dict[str, int]:
    from grnry.errors import BadInput

    if not text:
        return {}
    partition, _, offset = text.partition(":")
    if not (partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        raise BadInput.of("--at", f"is PARTITION:OFFSET, as 3:120, but is '{text}'", "Option")
    return {"partition": int(partition), "offset": int(offset)}


def _record(place: str, at: str) -> str:
    found = _at(at)
    return f"{place}/{found['partition']}/{found['offset']}"


def _replay(api: "Api", place: str, body: dict[str, Any], wait: float, *, as_json: bool) -> None:
    answer = api.post(f"{place}:replay", body)
    counts = _wait(api, place, wait) if wait else None
    if as_json:
        print_json({**answer, **({"counts": counts} if counts else {})})
        return
    print(f"{answer['queued']} to be replayed.")
    if counts:
        print(", ".join(f"{counts[each]} {each}" for each in COUNTS) + ".")
    elif answer["status"] not in ("RUNNING", "DEPLOYING"):
        print(f"The deployment is {answer['status']}: it is done when that runs again.")


def _wait(api: "Api", place: str, seconds: float) -> dict[str, int]:
    from grnry.cli.client import CallFailed

    deadline = time.monotonic() + seconds
    while True:
        found = api.get(place, {"pagesize": 1})
        counts: dict[str, int] = found["counts"]
        if not counts["queued"]:
            return counts
        if time.monotonic() > deadline:
            raise CallFailed(
                f"{counts['queued']} are still to be replayed; the deployment is {found['status']}."
            )
        time.sleep(LOOK_SECONDS)


def _print_letters(answer: Any, skipped: int) -> None:
    counts = ", ".join(f"{answer['counts'][each]} {each}" for each in COUNTS)
    print(f"{answer['deployment']} is {answer['status']}: {counts}.")
    if answer["expiring"]:
        print(f"{answer['expiring']} are dropped soon, as they are old.")
    if answer["reasons"]:
        print()
        print_table(
            ("count", "sqlstate", "reason"),
            [(one["count"], one.get("sqlstate"), one["reason"]) for one in answer["reasons"]],
        )
    if letters := answer["letters"]:
        print()
        print_table(LETTERS, [[one[each] for each in LETTERS] for one in letters])
        last = skipped + len(letters)
        if last < answer["totalCount"]:
            print(f"{answer['totalCount'] - last} more: --offset {last}")


def _print_letter(letter: Any) -> None:
    headers = {one["name"]: one.get("value", one.get("valueBase64")) for one in letter["headers"]}
    shown = {name: value for name, value in letter.items() if name not in ("headers", "payload")}
    print_fields({**shown, "headers": headers})
    if "payload" in letter:
        print(f"\n{letter['payload']}")


def _without_links(answer: Any) -> Any:
    return {name: value for name, value in answer.items() if name != "_links"}


def _read(file: Path) -> bytes:
    from grnry.errors import BadInput

    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput.of("--file", f"cannot be read: {error.strerror}", "Option") from error


def _in_editor(letter: Any) -> bytes:
    from grnry.cli.client import CallFailed
    from grnry.cli.editor import edited

    if "payload" not in letter:
        raise CallFailed("Its payload is no text: give another one with --file.")
    before: str = letter["payload"]
    after = edited(before, suffix=".json")
    # Editors end a file with a line's end, which the record did not have.
    after = after if before.endswith("\n") else after.removesuffix("\n")
    if after == before:
        raise CallFailed("Nothing was changed.")
    return after.encode()


def _payload(payload: bytes) -> dict[str, str]:
    from base64 import b64encode

    if not payload:
        from grnry.errors import BadInput

        raise BadInput.of("--file", "is empty", "Option")
    return {"payloadBase64": b64encode(payload).decode()}
