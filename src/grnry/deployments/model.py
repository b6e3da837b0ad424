"""Deployments as values, and what has to be done about one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

FIRST_BACK_OFF = 1.0
LONGEST_BACK_OFF = 60.0
STEADY_SECONDS = 60.0


class State(StrEnum):
    """What is observed of a deployment."""

    STOPPED = "STOPPED"
    DEPLOYING = "DEPLOYING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What somebody wants to run."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_wanted: bool
    generation: int

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Deployment":
        return cls(
            row["name"],
            tuple(row["command"]),
            row["environment"],
            row["desired"] == "running",
            row["generation"],
        )


@dataclass(frozen=True, slots=True)
class Observation:
    """What a deployer sees of one deployment's worker."""

    is_alive: bool
    state: State = State.DEPLOYING
    message: str = ""
    retrying: bool = False
    is_stopping: bool = False
    generation: int = 0
    ran_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What users are told of a deployment."""

    state: State
    message: str = ""
    retrying: bool = False
    generation: int = 0

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Seen":
        return cls(State(row["state"]), row["message"], row["retrying"], row["observed_generation"])


class Action(StrEnum):
    """What has to be done about a deployment."""

    NOTHING = "nothing"
    START = "start"
    STOP = "stop"
    FORGET = "forget"


@dataclass(slots=True)
class BackOff:
    """How long to wait before a worker that died is started again."""

    pause: float = 0.0
    until: float = field(default=0.0)

    def died(self, now: float, ran_seconds: float) -> None:
        steady = ran_seconds > STEADY_SECONDS or self.pause == 0.0
        self.pause = FIRST_BACK_OFF if steady else min(self.pause * 2, LONGEST_BACK_OFF)
        self.until = now + self.pause


def next_action(
    wanted: Deployment | None, observed: Observation | None, now: float, not_before: float
) -> Action:
    """Compare what is wanted with what is there."""
    if observed is None:
        is_due = wanted is not None and wanted.is_wanted and now >= not_before
        return Action.START if is_due else Action.NOTHING
    if not observed.is_alive:
        return Action.FORGET
    if observed.is_stopping:
        return Action.NOTHING
    keeps = wanted is not None and wanted.is_wanted
    return Action.NOTHING if keeps else Action.STOP


def what_is_seen(wanted: Deployment, observed: Observation | None, death: str) -> Seen:
    """What users are told; `death` is why the last worker died, where it did."""
    if observed is None or not observed.is_alive:
        if not wanted.is_wanted:
            return Seen(State.STOPPED)
        if death:
            return Seen(State.FAILED, death, retrying=True)
        return Seen(State.DEPLOYING)
    if observed.is_stopping or not wanted.is_wanted:
        return Seen(State.STOPPING, generation=observed.generation)
    return Seen(observed.state, observed.message, observed.retrying, observed.generation)
