"""How a worker tells its state to whoever deployed it."""

import os
from collections.abc import Mapping

import msgspec

DEPLOYMENT_VARIABLE = "GRNRY_DEPLOYMENT"
REPORT_FD_VARIABLE = "GRNRY_REPORT_FD"


class Said(msgspec.Struct, frozen=True):
    """A worker's word of its own state."""

    state: str
    message: str = ""
    retrying: bool = False


class Reporter:
    """Writes what changed as a line of JSON; silent where nobody listens."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._last: Said | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Reporter":
        fd = environment.get(REPORT_FD_VARIABLE)
        return cls(int(fd) if fd else None)

    def tell(self, said: Said) -> None:
        if self._fd is not None and said != self._last:
            os.write(self._fd, msgspec.json.encode(said) + b"\n")
            self._last = said
