"""Makes or deletes an event type, or all that is stored too, and is killed before its n-th step.

    python -m tests.event_types.dying create|delete|purge KIND NAME

Each line on stdin is a number n; a line on stdout says whether it died there or got to the end. A
step is a statement in the database, a commit, or a call of the log.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from grnry.database.pool import Database
from grnry.database.transaction import Transaction
from grnry.event_types.service import EventTypes
from grnry.identity.model import Identity
from grnry.log.admin import Admin
from grnry.settings import Settings
from tests.event_types.bodies import body


class Steps:
    """Counts, and kills this process at the one."""

    def __init__(self, last: int) -> None:
        self._left = last

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner: type, name: str) -> None:
        """Each call of the method is a step."""
        original: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.step()
            return original(*args, **kwargs)

        setattr(owner, name, counted)


def work(what: str, kind: str, name: str, last: int) -> None:
    settings = Settings.from_environment()
    database = Database(settings.database_url, application="grnry-test").open()
    service = EventTypes(database, Admin(settings.kafka_bootstrap))
    steps = Steps(last)
    for method in ("run", "row", "rows"):
        steps.watch(Transaction, method)
    for method in ("topics", "create_topic", "delete_topic"):
        steps.watch(Admin, method)
    steps.watch(Database, "transaction")
    if what == "create":
        service.create(Identity("id", "test", "Test", "test@example.org"), "global", name,
                       body(kind, name))  # fmt: skip
    else:
        service.delete("global", name, with_data=what == "purge")
    database.close()


def main() -> None:
    what, kind, name = sys.argv[1:]
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(what, kind, name, int(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("ended" if status == 0 else "died", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
