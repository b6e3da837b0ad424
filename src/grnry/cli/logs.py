"""`grnry logs`: what the processes write, merged by time."""

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from grnry.cli.options import AsJson, Data, command

if TYPE_CHECKING:
    from pathlib import Path

    from grnry.household.folder import DataFolder
    from grnry.household.log_entries import Entry, Follower
    from grnry.logs import LogFile

LOOK_SECONDS = 0.1
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)
BAD, WARNING = 31, 33


@command
def logs(
    process: Annotated[
        str, typer.Argument(help="Of this process or worker only, such as `api`.")
    ] = "",
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with what is added, until Ctrl-C.")
    ] = False,
    lines: Annotated[
        int, typer.Option("-n", "--lines", help="How many of the last entries; -1 is all.", min=-1)
    ] = 100,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what the processes have logged, of a running Granary or a stopped one."""
    from grnry.cli.client import Place
    from grnry.household.log_entries import Follower, merged

    folder = Place.of(data).folder()
    files = _files(folder, process)
    printer = _Printer(files, as_json=as_json, alone=bool(process))
    followers = {file.path: Follower(file) for file in files}
    ends = {path: follower.position for path, follower in followers.items()}
    for entry in merged(files, None if lines < 0 else lines, ends if follow else None):
        printer.show(entry)
    sys.stdout.flush()
    if follow:
        _follow(folder, process, followers, printer)


def _follow(
    folder: "DataFolder", process: str, followers: "dict[Path, Follower]", printer: "_Printer"
) -> None:
    from grnry.household.log_entries import Follower
    from grnry.household.log_files import log_files

    try:
        while True:
            for file in log_files(folder.logs):  # deployments come and go
                if file.path not in followers and process in ("", file.name):
                    followers[file.path] = Follower(file, from_start=True)
            for entry in sorted(entry for each in followers.values() for entry in each.read()):
                printer.show(entry)
            sys.stdout.flush()
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _files(folder: "DataFolder", process: str) -> "list[LogFile]":
    from grnry.cli.client import CallFailed
    from grnry.household.log_files import log_files

    try:
        found = log_files(folder.logs)
    except PermissionError as error:
        raise CallFailed(f"{folder.logs} cannot be read: {error.strerror}.") from error
    if not found:
        raise CallFailed(
            f"There are no logs in {folder.logs}. Start Granary with `grnry up`, or name its data "
            "folder with --data or GRNRY_DATA."
        )
    chosen = [file for file in found if process in ("", file.name)]
    if not chosen:
        names = ", ".join(file.name for file in found)
        raise CallFailed(f"There is no log of a process '{process}'; there are: {names}.")
    return chosen


class _Printer:
    def __init__(self, files: "list[LogFile]", *, as_json: bool, alone: bool) -> None:
        self._as_json = as_json
        self._alone = alone
        self._width = max(len(file.name) for file in files)
        self._is_terminal = sys.stdout is not None and sys.stdout.isatty()
        self._colours: dict[str, int] = {}

    def show(self, entry: "Entry") -> None:
        if self._as_json:
            print(json.dumps(entry.as_json(), ensure_ascii=False))
        elif self._alone:
            print(self._printable(entry.text))
        else:
            head = self._coloured(entry.process.ljust(self._width), self._colour(entry.process))
            for line in entry.text.split("\n"):
                print(f"{head} | {self._printable(line)}")

    def _colour(self, process: str) -> int:
        return self._colours.setdefault(process, COLOURS[len(self._colours) % len(COLOURS)])

    def _coloured(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._is_terminal else text

    def _printable(self, text: str) -> str:
        """What an event brought into a log must not move the cursor of who reads it."""
        plain = "".join(c if c.isprintable() or c in "\t\n" else f"\\x{ord(c):02x}" for c in text)
        if " ERROR " in plain[:40] or " FATAL: " in plain[:50]:
            return self._coloured(plain, BAD)
        return self._coloured(plain, WARNING) if " WARN" in plain[:40] else plain
