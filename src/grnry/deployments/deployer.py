"""The port of a deployer: who keeps deployments running, and says what it sees of them.

A room writes down what it wants, the reconciler compares and tells a deployer. What the deployer
needs to find again what it started, it hands over to be saved with each observation, and gets back
with each `poll`: it has no memory of its own that a restart could lose.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from grnry.deployments.model import Deployment, Observation

Saved = Mapping[str, Any]
"""JSON that means something to the deployer alone: process ids, or the name of a manifest."""


class Deployer(Protocol):
    """Starts, stops, and observes; decides nothing but when a replica that died is tried again."""

    def start(self, deployment: Deployment) -> None:
        """Keep as many replicas running as it asks for, until `stop`. Does not wait.

        A replica that ends without having been told to is started again, after pauses that double;
        one that has said that it does not go on by itself is left as it is. What runs under the
        name already is taken for what is asked for: the reconciler stops another before it starts.
        """
        ...

    def stop(self, name: str) -> None:
        """Ask all replicas to finish what is in hand and end; insist when they do not. No waiting.

        What is not there is stopped already.
        """
        ...

    def poll(self, saved: Mapping[str, Saved]) -> Mapping[str, Observation]:
        """What is seen now of everything that was started and is not gone altogether.

        `saved` is what was handed over for each deployment last, by this deployer or by the one
        before it. What that one has left running is seen as well: taken up, or as stopping where it
        cannot be. Nothing is assumed: `RUNNING` is answered only of replicas that have all said so
        since they were started. Does not wait, and is called every few seconds at least.
        """
        ...
