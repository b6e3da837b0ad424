"""A line for each goal: what was asked, what was measured, whether that is enough."""

import json
import os
import statistics
from collections.abc import Callable, Sequence
from typing import Any


class Goals:
    """Judges figures. With `as_json` it prints all of them at the end, and nothing before."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._lines: list[dict[str, Any]] = []
        self._figures: dict[str, Any] = {}
        self.note("load of the machine before", _load())
        if not as_json:
            print(f"{'':62}{'asked':>12}{'measured':>12}")

    def say(self, text: str) -> None:
        if not self._as_json:
            print(f"  {text}", flush=True)

    def note(self, what: str, found: Any) -> None:
        """A figure that no goal is about."""
        self._figures[what] = found
        self.say(f"{what}: {found}")

    def at_least(self, what: str, found: Sequence[float], asked: float, unit: str = "") -> None:
        self._judge(what, found, f"≥ {asked:g}{unit}", lambda middle: middle >= asked, unit)

    def below(self, what: str, found: Sequence[float], asked: float, unit: str = "") -> None:
        self._judge(what, found, f"< {asked:g}{unit}", lambda middle: middle < asked, unit)

    def _judge(
        self,
        what: str,
        found: Sequence[float],
        asked: str,
        is_enough: Callable[[float], bool],
        unit: str,
    ) -> None:
        """By the median; the spread says how far to trust it."""
        middle = statistics.median(found)
        ok = is_enough(middle)
        line = {"what": what, "asked": asked, "measured": middle, "unit": unit.strip(), "ok": ok}
        self._lines.append({**line, "found": list(found)})
        if self._as_json:
            return
        spread = f"  ({min(found):.2f} to {max(found):.2f})" if len(found) > 1 else ""
        verdict = "ok" if ok else "MISSED"
        print(f"{what:62}{asked:>12}{middle:9.2f}{unit:3}  {verdict}{spread}", flush=True)

    def finish(self) -> bool:
        """Whether all goals were reached."""
        self.note("load of the machine after", _load())
        missed = [line["what"] for line in self._lines if not line["ok"]]
        if self._as_json:
            print(json.dumps({"goals": self._lines, "figures": self._figures}, indent=2))
        else:
            print(f"missed: {', '.join(missed)}" if missed else "all goals are reached")
        return not missed


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
