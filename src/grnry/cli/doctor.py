"""`grnry doctor`: what is wrong, and what to do about it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from grnry.cli.options import AsJson, Data, command
from grnry.cli.output import print_json

if TYPE_CHECKING:
    from grnry.household.doctor.finding import Finding

MARKS = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}
COLOURS = {"ok": 32, "warning": 33, "problem": 31}


@command
def doctor(
    port: Annotated[int, typer.Option(help="Port that the API is to be started on.")] = 8080,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Look at machine, folder, processes, database, log and ports; say what is wrong.

    Works with a running Granary and a stopped one, and changes nothing. Exit code 1 where there is
    a problem; a warning is none.
    """
    import msgspec

    from grnry.cli.client import Place
    from grnry.household.doctor.examination import examine
    from grnry.household.doctor.finding import worst_of
    from grnry.settings import Settings

    findings = []
    for finding in examine(Place.of(data).folder(), Settings.from_environment(), port):
        findings.append(finding)
        if not as_json:
            _show(finding, is_new=len(findings) == 1 or findings[-2].part != finding.part)
    worst = worst_of(findings)
    if as_json:
        print_json({"verdict": worst, "findings": msgspec.to_builtins(findings)})
    else:
        print(f"\n{_summary(findings)}")
    raise typer.Exit(1 if worst == "problem" else 0)


def _show(finding: "Finding", *, is_new: bool) -> None:
    mark = MARKS[finding.verdict].ljust(8)
    if sys.stdout is not None and sys.stdout.isatty():
        mark = f"\x1b[{COLOURS[finding.verdict]}m{mark}\x1b[0m"
    print(f"{finding.part if is_new else '':10} {mark} {finding.what}: {finding.said}")
    if finding.todo:
        print(f"{'':20}{finding.todo}")
    if sys.stdout is not None:
        sys.stdout.flush()


def _summary(findings: "list[Finding]") -> str:
    counts = [
        f"{count} {word if count == 1 else word + 's'}"
        for word in ("problem", "warning")
        if (count := sum(finding.verdict == word for finding in findings))
    ]
    return f"{' and '.join(counts)}." if counts else "Everything is well."
