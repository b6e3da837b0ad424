"""What both benchmarks of persisters are told, and what they leave."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks._sinks.goals import Goals


def parser(name: str, description: str | None, sections: Sequence[str]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=f"benchmarks {name}", description=description)
    made.add_argument("sections", nargs="*", help=f"some of: {' '.join(sections)}")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--singles", type=int, default=200, help="how many are sent one by one")
    made.add_argument("--settle", type=float, default=75, help="seconds before it is idle")
    made.add_argument("--idle", type=float, default=30, help="seconds of CPU to watch")
    made.add_argument("--json", action="store_true", help="all figures as one JSON document")
    return made


def parsed(
    made: argparse.ArgumentParser, argv: list[str], sections: Sequence[str]
) -> argparse.Namespace:
    options = made.parse_args(argv)
    options.sections = options.sections or list(sections)
    if unknown := set(options.sections) - set(sections):
        made.error(f"there is no section {', '.join(sorted(unknown))}")
    return options


def judged(
    options: argparse.Namespace, measure: Callable[[Path, argparse.Namespace, Goals], None]
) -> None:
    """Measure in a folder that goes afterwards; ends with 1 where a goal is missed."""
    folder = Path(tempfile.mkdtemp(prefix="grnry-bench-"))
    goals = Goals(as_json=options.json)
    try:
        measure(folder, options, goals)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if goals.finish() else 1)
