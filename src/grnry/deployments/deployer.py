"""The port of a deployer: who starts and stops workers, and says what it sees of them."""

from collections.abc import Mapping
from typing import Protocol

from grnry.deployments.model import Deployment, Observation


class Deployer(Protocol):
    """Starts, stops, and observes; decides nothing."""

    def start(self, deployment: Deployment) -> None:
        """Start its worker. Does not wait."""
        ...

    def stop(self, name: str) -> None:
        """Ask its worker to finish what is in hand and end; insist when it does not. No waiting."""
        ...

    def poll(self) -> Mapping[str, Observation]:
        """What is seen now of every worker that was started and not forgotten.

        A worker that has ended is seen, not alive, with why in its message, until it is forgotten.
        """
        ...

    def forget(self, name: str) -> None:
        """Drop what is known of a worker that has ended."""
        ...
