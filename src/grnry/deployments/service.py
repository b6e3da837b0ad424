"""What rooms ask of deployments, as part of their own transactions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grnry.database.queries import Queries, load
from grnry.database.transaction import Json, Transaction
from grnry.deployments.model import State


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
    transaction: Transaction, name: str, command: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Say what should run; what runs already is outdated until its next start."""
    transaction.run(
        _queries().save,
        name=name,
        command=list(command),
        environment=Json(dict(environment)),
    )


def start(transaction: Transaction, name: str) -> None:
    _want(transaction, name, "running")


def stop(transaction: Transaction, name: str) -> None:
    _want(transaction, name, "stopped")


def _want(transaction: Transaction, name: str, desired: str) -> None:
    transaction.run(_queries().want, name=name, desired=desired)
    transaction.rows(_queries().notify)


def delete(transaction: Transaction, name: str) -> None:
    """Forget it; the reconciler stops what still runs."""
    transaction.run(_queries().delete, name=name)
    transaction.rows(_queries().notify)


def condition(transaction: Transaction, name: str) -> Condition | None:
    return conditions(transaction, [name]).get(name)


def conditions(transaction: Transaction, names: Sequence[str]) -> dict[str, Condition]:
    """Of those that there are."""
    rows = transaction.rows(_queries().states, names=list(names))
    return {row["name"]: _condition(row) for row in rows}


def _condition(row: Mapping[str, Any]) -> Condition:
    state = State(row["state"])
    if state is State.STOPPED:
        return Condition(state)
    if not row["is_observed"]:
        return Condition(State.FAILED, "nobody watches it at the moment", retrying=True)
    is_outdated = state is State.RUNNING and row["observed_generation"] != row["generation"]
    return Condition(state, row["message"], row["retrying"], is_outdated)


def _queries() -> Queries:
    return load("grnry.deployments")
