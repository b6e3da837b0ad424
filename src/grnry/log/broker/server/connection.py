"""One client's connection: requests are taken in order and answered in order.

A request is begun as soon as it is here, also while earlier ones wait (for a sync, for records, for
a group): that is what makes pipelined producers fast. A client that does not read its answers, or
has too many of them open, is not read from; nobody else notices.
"""

import asyncio
import logging
import socket
from collections import deque
from typing import Protocol, cast

from grnry.log.broker.protocol.errors import MalformedRequestError
from grnry.log.broker.protocol.frames import SIZE
from grnry.log.broker.settings import Limits

from .answers import Pieces, Session, in_memory
from .outgoing import Outgoing
from .sasl import LARGEST_REQUEST, SECONDS_TO_AUTHENTICATE
from .seldom import Seldom

log = logging.getLogger("grnry.log.broker")

_WRITE_BUFFER = 256 << 10
_KEEP_ALIVE = (  # a client that is gone without a word is found out within two minutes
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)
_FIRST_PIECE = 1 << 20  # a frame's buffer grows with what has come, not with what is announced


_refusals = Seldom()


class Slot:
    """The place of one answer in the order of answers."""

    __slots__ = ("done", "pieces", "task")

    def __init__(self) -> None:
        self.done = False
        self.pieces: Pieces = []
        self.task: asyncio.Task[None] | None = None


class Server(Protocol):
    """What a connection needs of the broker."""

    limits: Limits
    asks_for_passwords: bool
    scratch: bytearray  # what is read lands here first; every connection is done with it at once

    def opened(self, connection: "Connection") -> bool: ...
    def closed(self, connection: "Connection") -> None: ...
    def handle(self, connection: "Connection", slot: Slot, frame: memoryview) -> None: ...


class Connection(asyncio.BufferedProtocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._limits = server.limits
        self._transport: asyncio.Transport | None = None
        self._slots: deque[Slot] = deque()
        self._waiting_bytes = 0
        self._frame: bytearray | None = None  # a frame of which a part is here
        self._frame_size = 0
        self._have = 0
        self._stash = b""  # whole frames that came while the client was not to be read
        self._is_read_paused = False
        self._outgoing: Outgoing | None = None
        self._loop = asyncio.get_running_loop()
        self._used_at = self._loop.time()
        self.client_host = ""
        self.session = Session()
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.client_host = f"/{peer[0]}" if peer else "/"
        if not self._server.opened(self):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        self._outgoing = Outgoing(self._transport, self._go_on)
        connected = transport.get_extra_info("socket")
        if connected is not None and connected.family in {socket.AF_INET, socket.AF_INET6}:
            for level, option, value in _KEEP_ALIVE:
                connected.setsockopt(level, option, value)

        if self._server.asks_for_passwords:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(SECONDS_TO_AUTHENTICATE, self._end_stranger)

    def _end_stranger(self) -> None:
        if self._is_stranger():
            log.info("closed the connection of %s: it has not authenticated", self.client_host)
            self.close()

    def _is_stranger(self) -> bool:
        return self._server.asks_for_passwords and self.session.user is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = self._outgoing = None
        self._frame, self._stash = None, b""
        if self._deadline is not None:
            self._deadline.cancel()
        for slot in self._slots:
            if slot.task is not None:
                slot.task.cancel()
        self._slots.clear()
        self._server.closed(self)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self._outgoing is not None:
            self._outgoing.pause()

    def resume_writing(self) -> None:
        self._used_at = self._loop.time()
        if self._outgoing is not None:
            self._outgoing.resume()
        self._go_on()

    def get_buffer(self, sizehint: int) -> memoryview | bytearray:
        if self._frame is None:
            return self._server.scratch
        if self._have == len(self._frame):
            grown = bytearray(min(self._frame_size, 2 * self._have))
            grown[: self._have] = self._frame
            self._frame = grown
        return memoryview(self._frame)[self._have :]

    def buffer_updated(self, nbytes: int) -> None:
        self._used_at = self._loop.time()
        try:
            if self._frame is None:
                self._take(memoryview(self._server.scratch)[:nbytes])
            else:
                self._grow_frame(nbytes)
        except MalformedRequestError as error:
            self._refuse(error)

    def _refuse(self, error: MalformedRequestError) -> None:
        untold = _refusals.due()
        if untold is not None:
            more = f" ({untold} more since the last that was told)" if untold else ""
            log.info("closed the connection of %s: %s%s", self.client_host, error, more)
        self.close()

    # Frames

    def _take(self, data: memoryview) -> None:
        """Handle the whole frames in the data and keep what is left of it."""
        position = 0
        while len(data) - position >= SIZE.size:
            if self._is_blocked():
                self._stash = bytes(data[position:])
                break
            end = position + SIZE.size + self._size_of(data, position)
            if end > len(data):
                self._keep(data[position:])
                break
            self._handle(data[position + SIZE.size : end])
            position = end
            if self._transport is None:
                return
        else:
            if position < len(data):
                self._keep(data[position:])
        self._pause_if_blocked()

    def _size_of(self, data: memoryview | bytearray, position: int) -> int:
        size: int = SIZE.unpack_from(data, position)[0]
        largest = LARGEST_REQUEST if self._is_stranger() else self._limits.request_bytes
        if not 0 < size <= largest:
            raise MalformedRequestError(f"a request of {size} bytes was announced")
        return size

    def _keep(self, part: memoryview) -> None:
        """The begin of a frame: the rest is read straight behind it."""
        if len(part) < SIZE.size:
            self._frame_size = SIZE.size
        else:
            self._frame_size = SIZE.size + self._size_of(part, 0)
        self._frame = bytearray(min(self._frame_size, max(_FIRST_PIECE, len(part))))
        self._frame[: len(part)] = part
        self._have = len(part)

    def _grow_frame(self, nbytes: int) -> None:
        self._have += nbytes
        if self._frame is None or self._have < self._frame_size:
            return
        frame, self._frame = self._frame, None
        if self._frame_size == SIZE.size:
            self._keep(memoryview(frame))
        else:
            self._handle(memoryview(frame)[SIZE.size :])
            self._pause_if_blocked()

    def _handle(self, frame: memoryview) -> None:
        if self._transport is None:
            return
        slot = Slot()
        self._slots.append(slot)
        self._server.handle(self, slot, frame)

    # Answers

    def answer(self, slot: Slot, pieces: Pieces) -> None:
        """The answer is ready; it goes out when all before it have."""
        if self._transport is None:
            return
        slot.done, slot.pieces, slot.task = True, pieces, None
        if self._slots and self._slots[0] is slot:
            self._flush()
        else:
            self._waiting_bytes += in_memory(pieces)
        if self._is_read_paused:
            self._go_on()

    def _flush(self) -> None:
        if self._outgoing is None:
            return
        first = True
        while self._slots and self._slots[0].done:
            pieces = self._slots.popleft().pieces
            if not first:
                self._waiting_bytes -= in_memory(pieces)
            first = False
            self._outgoing.add(pieces)
        self._outgoing.send()

    def _is_blocked(self) -> bool:
        return (
            (self._outgoing is not None and self._outgoing.is_blocked)
            or len(self._slots) >= self._limits.unanswered_requests
            or self._waiting_bytes > self._limits.waiting_bytes
        )

    def _pause_if_blocked(self) -> None:
        if self._transport is not None and not self._is_read_paused and self._is_blocked():
            self._is_read_paused = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        """Take what was stashed, then read again, as far as the client keeps up."""
        if self._transport is None or not self._is_read_paused or self._is_blocked():
            return
        stash, self._stash = self._stash, b""
        if stash:
            try:
                self._take(memoryview(bytearray(stash)))
            except MalformedRequestError as error:
                self._refuse(error)
        self._read_again()

    def _read_again(self) -> None:
        if self._transport is not None and not self._is_blocked():
            self._is_read_paused = False
            self._transport.resume_reading()

    def is_idle(self, seconds: float) -> bool:
        """Nothing came and nothing went for so long, and no answer of ours is outstanding."""
        is_waiting = bool(self._slots) and not self._is_blocked()
        return not is_waiting and self._loop.time() - self._used_at > seconds

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close_when_answered(self) -> None:
        if self._transport is not None:
            self._transport.close()
