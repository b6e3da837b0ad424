"""States of persisters, once or again and again, with how far they are."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from grnry.cli.persisters import KINDS, path, path_of

if TYPE_CHECKING:
    from grnry.cli.client import Api

COLUMNS = ("event_type", "status", "lag", "dead_letters", "message")
WATCHED = (*COLUMNS[:3], "rows/s", *COLUMNS[3:])
LOOK_SECONDS = 1.0


class States:
    """The persisters of a project, and how fast each of them gets on."""

    def __init__(self, api: "Api", project: str) -> None:
        self._api = api
        self._project = project
        self._kinds: dict[str, str] = {}
        self._seen: dict[str, tuple[float, int]] = {}

    def names(self) -> list[str]:
        """Of the event types that have one."""
        from grnry.cli.event_types import path as event_types_path

        found = self._api.all(event_types_path(self._project), "eventTypes")
        self._kinds = {e["name"]: KINDS[e["type"]] for e in found if e["type"] in KINDS}
        return list(self._kinds)

    def _path(self, name: str) -> str:
        if name in self._kinds:
            return path(self._project, name, self._kinds[name])
        return path_of(self._api, self._project, name)

    def state(self, name: str) -> dict[str, Any]:
        """Its state and progress; with the rows a second since it was asked for last."""
        place = f"{self._path(name)}/state"
        found = self._api.get(place, {"expand": "progress"})
        found.pop("_links")
        if "progress" not in found:  # it writes a database that does not answer
            return {"eventTypeName": name, **found}
        now, records = time.monotonic(), int(found["progress"]["records"])
        if before := self._seen.get(name):
            found["rowsPerSecond"] = round((records - before[1]) / (now - before[0]), 1)
        self._seen[name] = (now, records)
        return {"eventTypeName": name, **found}

    def row(self, name: str) -> tuple[Any, ...]:
        """As in COLUMNS; at the end of it the rows a second."""
        found = self.state(name)
        status = found["status"] + (" (outdated)" if found.get("outdated") else "")
        progress = found.get("progress", {})
        return (
            name,
            status,
            progress.get("lag", "?"),
            progress.get("deadLetters", "?"),
            found.get("message", ""),
            found.get("rowsPerSecond", ""),
        )

    def watch(self, names: Callable[[], Sequence[str]], *, as_json: bool) -> None:
        """Until somebody ends it: a table drawn anew on a terminal, lines elsewhere."""
        draws = sys.stdout.isatty() and not as_json
        drawn = 0
        try:
            while True:
                lines = list(map(self._json, names())) if as_json else self._table(names())
                if draws and drawn:
                    sys.stdout.write(f"\x1b[{drawn}A\x1b[J")
                # The heads of the columns once, where nothing is drawn over them.
                print("\n".join(lines if draws or as_json or not drawn else lines[1:]))
                sys.stdout.flush()
                drawn = len(lines)
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None

    def _json(self, name: str) -> str:
        return json.dumps(self.state(name), ensure_ascii=False)

    def _table(self, names: Sequence[str]) -> list[str]:
        from grnry.cli.output import table

        rows = []
        for name in names:
            *first, dead, message, rate = self.row(name)
            rows.append([*first, rate, dead, message])
        return table(WATCHED, rows)
