"""What a handler may give back, and what it is given."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple

from grnry.log.broker.protocol.codec import Values
from grnry.log.broker.storage.files import OpenFile


class FilePart:
    """Bytes of an answer that lie in a file; the file stays open as long as they are wanted."""

    __slots__ = ("file", "position", "size")

    def __init__(self, file: OpenFile, position: int, size: int) -> None:
        self.file = file
        self.position = position
        self.size = size

    def __len__(self) -> int:
        return self.size

    def after(self, size: int) -> "FilePart | None":
        """What follows so many bytes, if anything does."""
        if size >= self.size:
            return None
        return FilePart(self.file, self.position + size, self.size - size)


Pieces = list[bytes | bytearray | memoryview | FilePart]


def in_memory(pieces: Pieces) -> int:
    return sum(len(piece) for piece in pieces if not isinstance(piece, FilePart))


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
