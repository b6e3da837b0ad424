"""What rooms ask of deployments, as part of their own transactions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from grnry.database.queries import Queries, load
from grnry.database.transaction import Json, Reading, Row, Statement, Transaction
from grnry.deployments.model import Resources, State


@dataclass(frozen=True, slots=True)
class Condition:
    """A deployment's state as its users see it."""

    state: State
    message: str = ""
    retrying: bool = False
    is_outdated: bool = False

    def told(self) -> dict[str, Any]:
        """As it is answered."""
        answer: dict[str, Any] = {"status": self.state.value}
        if self.message:
            answer |= {"message": self.message, "retrying": self.retrying}
        if self.is_outdated:
            answer["outdated"] = True
        return answer


def save(
    transaction: Transaction,
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    replicas: int = 1,
    resources: Resources | None = None,
) -> None:
    """Say what should run; what runs already is outdated until its next start."""
    transaction.run(
        _queries().save,
        name=name,
        command=list(command),
        environment=Json(dict(environment)),
        replicas=replicas,
        resources=Json(msgspec.to_builtins(resources or Resources())),
    )


def start(transaction: Transaction, name: str) -> None:
    """Have it run. What runs already is left as it is; what was given up is tried again."""
    _wish(transaction, name, _queries().start)


def restart(transaction: Transaction, name: str) -> None:
    """Have it run anew, as it is saved now; what runs ends first."""
    _wish(transaction, name, _queries().restart)


def stop(transaction: Transaction, name: str) -> None:
    """Have it end when what is in hand is finished."""
    _wish(transaction, name, _queries().stop)


def delete(transaction: Transaction, name: str) -> None:
    """Forget it; the reconciler stops what still runs."""
    _wish(transaction, name, _queries().delete)


def _wish(transaction: Transaction, name: str, statement: Statement) -> None:
    transaction.run(statement, name=name)
    transaction.rows(_queries().notify)


def condition(reading: Reading, name: str) -> Condition | None:
    return conditions(reading, [name]).get(name)


def conditions(reading: Reading, names: Collection[str]) -> dict[str, Condition]:
    """Of each that there is."""
    rows = reading.rows(_queries().states, names=list(names))
    return {row["name"]: _condition(row) for row in rows}


def _condition(row: Row) -> Condition:
    state = State(row["state"])
    if state is State.STOPPED:
        return Condition(state)
    if not row["is_observed"]:
        return Condition(State.FAILED, "nobody watches it at the moment", retrying=True)
    is_this_run = row["observed_run"] == row["run"]
    is_outdated = is_this_run and row["observed_generation"] != row["generation"]
    return Condition(state, row["message"], row["retrying"], is_outdated)


def _queries() -> Queries:
    return load("grnry.deployments")
