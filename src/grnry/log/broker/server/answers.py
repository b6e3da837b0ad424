"""What a handler may give back, and what it is given."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple

from grnry.log.broker.protocol.codec import Values

Pieces = list[bytes | bytearray | memoryview]


@dataclass(slots=True)
class Session:
    """What is known of the other end of a connection."""

    mechanism: str | None = None
    user: str | None = None
    has_failed: bool = False
    fetched: frozenset[tuple[str, int]] = frozenset()  # the partitions of its last fetch


@dataclass(slots=True)
class Request:
    api_key: int
    version: int
    client_id: str
    client_host: str
    frame: memoryview  # valid until the handler returns
    body_at: int
    session: Session
    body: Any = None  # kio's entity, for all but Produce and Fetch

    @property
    def client(self) -> tuple[str, str]:
        """The same for all connections of a client that has an id of its own."""
        return self.client_id, self.client_host


class After(NamedTuple):
    """The answer is ready, but goes out only when something else is done."""

    done: "asyncio.Future[None]"
    answer: Pieces | Values


Later = Coroutine[Any, Any, Pieces | Values]
Answer = Pieces | Values | After | Later | None
Handler = Callable[[Request], Answer]
