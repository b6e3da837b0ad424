"""Notices partitions that a consumer group has forgotten.

Partitions move in two steps: one member gives them back, and says so by joining once more. A member
that ends between the two and comes back under its name gets what it had, and no broker shares out
anew for it: what it gave back is nobody's, for good. A member that leaves makes the group do so.
"""

import logging
import time
from collections.abc import Callable

from grnry.errors import GranaryError
from grnry.log.records import LogAway

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0


class PartitionsForgotten(GranaryError):  # noqa: N818 - errors are named for what happened
    """Nobody in the group reads some partitions. They are shared out anew."""


class GroupWatch:
    """Looks a while after partitions were shared out. Used by the writer's thread."""

    def __init__(
        self, ask: Callable[[], frozenset[int] | None], seconds: float = LOOK_SECONDS
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._due = float("inf")
        self._seen: frozenset[int] = frozenset()

    def shared_out(self) -> None:
        """By any thread."""
        self._due = time.monotonic() + self._seconds

    def expect_all(self) -> None:
        """Raise PartitionsForgotten where some are nobody's at two looks, one after the other."""
        if time.monotonic() < self._due:
            return
        self._due = float("inf")
        try:
            found = self._ask()
        except LogAway:
            found = None
        before, self._seen = self._seen, found or frozenset()
        if found is None or found - before:
            self.shared_out()
        elif found:
            logger.error("Nobody reads the partitions %s; they are shared out anew.", sorted(found))
            raise PartitionsForgotten
