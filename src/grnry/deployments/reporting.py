"""How a worker tells its state to whoever deployed it."""

import os
import time
from collections.abc import Mapping

import msgspec

DEPLOYMENT_VARIABLE = "GRNRY_DEPLOYMENT"
REPLICA_VARIABLE = "GRNRY_REPLICA"
REPLICAS_VARIABLE = "GRNRY_REPLICAS"
REPORT_FD_VARIABLE = "GRNRY_REPORT_FD"

BEAT_SECONDS = 10.0
"""How often a worker says at least that it is there; who is silent for long is ended."""


class Said(msgspec.Struct, frozen=True):
    """A worker's word of its own state."""

    state: str
    message: str = ""
    retrying: bool = False


class Reporter:
    """Writes what changed as a line of JSON, and the same again now and then.

    Silent where nobody listens.
    """

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._last: Said | None = None
        self._again_at = 0.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Reporter":
        fd = environment.get(REPORT_FD_VARIABLE)
        return cls(int(fd) if fd else None)

    def tell(self, said: Said) -> None:
        now = time.monotonic()
        if self._fd is not None and (said != self._last or now >= self._again_at):
            os.write(self._fd, msgspec.json.encode(said) + b"\n")
            self._last, self._again_at = said, now + BEAT_SECONDS


def replica_of(environment: Mapping[str, str]) -> str:
    """Which of its deployment's replicas a worker is; its name among the members of a group."""
    return environment.get(REPLICA_VARIABLE) or "0"


def has_others(environment: Mapping[str, str]) -> bool:
    """Whether a worker is one of several replicas."""
    return (environment.get(REPLICAS_VARIABLE) or "1") != "1"
