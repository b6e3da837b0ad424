"""As whom a consumer reads."""

from dataclasses import dataclass

ALONE_MS, BESIDE_MS = 3_000, 500
"""Between two heartbeats. The answer to one says that others have come or gone."""


@dataclass(frozen=True, slots=True)
class Membership:
    """One of a group that shares a topic.

    A member that comes back under its name takes its partitions up at once, also after a crash. One
    that is silent for the session's time loses them.
    """

    group: str
    member: str
    session_ms: int = 30_000
    leaves: bool = False
    """Whether others get its partitions when it is closed, as nobody may come back as it."""
    has_others: bool = False
    """Whether there are others usually: partitions move when all have heard of it."""

    @property
    def heartbeat_ms(self) -> int:
        return min(BESIDE_MS if self.has_others else ALONE_MS, self.session_ms // 3)
