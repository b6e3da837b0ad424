"""Deployments as values, and what has to be done about one. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

FIRST_BACK_OFF = 1.0
LONGEST_BACK_OFF = 60.0
STEADY_SECONDS = 60.0

USUAL_CPU_MILLIS = 500
_NICE_STEP = 1.25
_HIGHEST_NICE = 19


class State(StrEnum):
    """What is observed of a deployment, and of each of its replicas."""

    STOPPED = "STOPPED"
    DEPLOYING = "DEPLOYING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    FAILED = "FAILED"


class Resources(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one replica may take, and how long it may take to be ready and to say something."""

    memory_bytes: int = 0
    """Above it the replica is ended; 0 is no limit."""

    cpu_millis: int = USUAL_CPU_MILLIS
    """A thousandth of a core each: a limit on Kubernetes, a weight on one machine."""

    ready_seconds: float = 60.0
    """A replica that is not ready by then has failed, and is started again."""

    silent_seconds: float = 60.0
    """One that says nothing for so long has failed as well."""

    @property
    def nice(self) -> int:
        """The weight as the kernel takes it: each step is a quarter less; nobody gets more."""
        steps = math.log(USUAL_CPU_MILLIS / max(1, self.cpu_millis), _NICE_STEP)
        return max(0, min(_HIGHEST_NICE, round(steps)))


UNBOUNDED = Resources()


@dataclass(frozen=True, slots=True)
class Deployment:
    """What somebody wants to run."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_wanted: bool
    generation: int = 1
    """Of the command, the environment, the replicas and the resources."""

    run: int = 1
    """Of the wish: a START or RESTART after it means another run."""

    replicas: int = 1
    resources: Resources = UNBOUNDED

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Deployment":
        return cls(
            name=row["name"],
            command=tuple(row["command"]),
            environment=row["environment"],
            is_wanted=row["desired"] == "running",
            generation=row["generation"],
            run=row["run"],
            replicas=row["replicas"],
            resources=msgspec.convert(row["resources"], Resources),
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What a worker says of itself, or what is seen of it where it cannot."""

    state: State
    message: str = ""
    retrying: bool = False
    """Whether it goes on by itself."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a deployer sees of a deployment it was told to start, until nothing is left of it."""

    seen: Seen
    generation: int = 0
    run: int = 0
    is_stopping: bool = False
    saved: Mapping[str, Any] = field(default_factory=dict)
    """How the deployer finds it again after a restart."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What is written down of a deployment: users are told it, and the next deployer."""

    seen: Seen
    generation: int = 0
    run: int = 0
    saved: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Noted":
        seen = Seen(State(row["state"]), row["message"], row["retrying"])
        return cls(seen, row["observed_generation"], row["observed_run"], row["saved"])


class Action(StrEnum):
    """What has to be done about a deployment."""

    NOTHING = "nothing"
    START = "start"
    STOP = "stop"


@dataclass(slots=True)
class BackOff:
    """How long to wait before a worker that died is started again."""

    pause: float = 0.0
    until: float = 0.0

    def died(self, now: float, ran_seconds: float) -> None:
        steady = ran_seconds > STEADY_SECONDS or self.pause == 0.0
        self.pause = FIRST_BACK_OFF if steady else min(self.pause * 2, LONGEST_BACK_OFF)
        self.until = now + self.pause


def next_action(wanted: Deployment | None, observed: Observation | None) -> Action:
    """Compare what is wanted with what is there."""
    keeps = wanted is not None and wanted.is_wanted
    if observed is None:
        return Action.START if keeps else Action.NOTHING
    if observed.is_stopping:
        return Action.NOTHING
    is_as_wished = wanted is not None and keeps and observed.run == wanted.run
    return Action.NOTHING if is_as_wished else Action.STOP


def to_note(wanted: Deployment, observed: Observation | None) -> Noted:
    """What is written down of a deployment."""
    if observed is None:
        return Noted(Seen(State.DEPLOYING if wanted.is_wanted else State.STOPPED))
    seen = observed.seen
    if not wanted.is_wanted:
        seen = Seen(State.STOPPING)
    elif observed.is_stopping or observed.run != wanted.run:
        seen = Seen(State.DEPLOYING, observed.seen.message if observed.is_stopping else "")
    return Noted(seen, observed.generation, observed.run, observed.saved)


_WORST_FIRST = (State.FAILED, State.DEPLOYING, State.STOPPING, State.RUNNING, State.STOPPED)


def all_together(replicas: Sequence[Seen]) -> Seen:
    """What is seen of a deployment: the worst of its replicas, named where there are several.

    One that does not go on by itself is worse than one that does.
    """
    if not replicas:
        return Seen(State.STOPPED)
    numbered = sorted(
        enumerate(replicas),
        key=lambda each: (_WORST_FIRST.index(each[1].state), each[1].retrying, each[0]),
    )
    number, worst = numbered[0]
    if len(replicas) == 1 or not worst.message:
        return worst
    return Seen(worst.state, f"replica {number}: {worst.message}", worst.retrying)
