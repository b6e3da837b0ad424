"""What was found of one thing: whether it is well, and what to do where it is not."""

from typing import Literal

import msgspec

Verdict = Literal["ok", "warning", "problem"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the doctor's report."""

    part: str
    what: str
    verdict: Verdict
    said: str
    todo: str = ""


def worst_of(findings: list[Finding]) -> Verdict:
    found = {finding.verdict for finding in findings}
    if "problem" in found:
        return "problem"
    return "warning" if "warning" in found else "ok"


class Part:
    """Makes the findings of one part."""

    def __init__(self, name: str) -> None:
        self._name = name

    def ok(self, what: str, said: str) -> Finding:
        return Finding(self._name, what, "ok", said)

    def warning(self, what: str, said: str, todo: str) -> Finding:
        return Finding(self._name, what, "warning", said, todo)

    def problem(self, what: str, said: str, todo: str) -> Finding:
        return Finding(self._name, what, "problem", said, todo)
