"""A TCP proxy that cuts, refuses, stalls and slows, and that sees PostgreSQL's COMMIT go by."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from tests.faults.frontend import Frontend

Address = tuple[str, int]
PIECE = 65536
RST = struct.pack("ii", 1, 0)
BEFORE, AFTER = "before", "after"


class Link:
    """Between all clients of an address and their server. Its methods may be called anywhere."""

    def __init__(
        self, listen: Address, target: Address, *, is_database: bool = False, is_open: bool = True
    ) -> None:
        self.address, self._target, self._is_database = listen, target, is_database
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._thread.start()
        self._open: set[_Pair] = set()
        self._flows: asyncio.Event
        self._bytes_per_second = 0
        self._refuses = False
        self._commit_trap = ""
        self.caught = threading.Event()
        """Set when a COMMIT went into the trap."""
        self._server: asyncio.Server | None = None
        self._call(self._prepare())
        if is_open:
            self.open()

    async def _prepare(self) -> None:
        self._flows = asyncio.Event()
        self._flows.set()

    def open(self) -> None:
        """Begin to listen."""
        self._server = self._call(asyncio.start_server(self._serve, *self.address))

    def shut(self) -> None:
        """Give the address back, and reset every connection."""
        if self._server is not None:
            self._do(self._server.close)
            self._server = None
        self.cut()

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def _do(self, change: Callable[[], object]) -> None:
        async def change_it() -> None:
            change()

        self._call(change_it())

    # What is done to it

    def cut(self) -> int:
        """Reset every connection; answers how many there were."""
        count = len(self._open)

        def reset() -> None:
            for pair in list(self._open):
                pair.reset()

        self._do(reset)
        return count

    def refuse(self, *, yes: bool) -> None:
        """Whoever connects is reset at once."""
        self._refuses = yes

    def stall(self, *, yes: bool) -> None:
        """Nothing goes by, and nobody is told."""
        self._do(self._flows.clear if yes else self._flows.set)

    def slow(self, bytes_per_second: int) -> None:
        """Each direction of each connection; 0 for as fast as it goes."""
        self._bytes_per_second = bytes_per_second

    def trap_commit(self, where: str) -> None:
        """The next COMMIT of a transaction that has copied something is cut off.

        `BEFORE` it comes to the server, or `AFTER` the server has done it; empty for none.
        """
        self.caught.clear()
        self._commit_trap = where

    def heal(self) -> None:
        """All goes by again."""
        self.refuse(yes=False)
        self.slow(0)
        self.trap_commit("")
        self.stall(yes=False)

    def close(self) -> None:
        self.heal()
        self.shut()
        self._call(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    async def _end_tasks(self) -> None:
        """Those whose connections are reset end by themselves."""
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=10)

    # What goes by

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            _reset(writer)
            return
        source = ("127.0.0.1", 0)
        try:
            server = await asyncio.open_connection(*self._target, local_addr=source)
        except OSError:
            _reset(writer)
            return
        pair = _Pair(writer, server[1])
        self._open.add(pair)
        up = asyncio.create_task(self._up(pair, reader))
        down = asyncio.create_task(self._down(pair, server[0]))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._open.discard(pair)
            pair.close()

    async def _up(self, pair: "_Pair", reader: asyncio.StreamReader) -> None:
        """From the client to the server."""
        while data := await self._piece(reader):
            is_commit = self._is_database and pair.frontend.feed(data)
            if is_commit and self._commit_trap:
                where, self._commit_trap = self._commit_trap, ""
                self.caught.set()
                if where == BEFORE:
                    pair.reset()
                    return
                pair.is_deaf = True
            pair.server.write(data)
            await pair.server.drain()

    async def _down(self, pair: "_Pair", reader: asyncio.StreamReader) -> None:
        """From the server to the client."""
        while data := await self._piece(reader):
            if pair.is_deaf:
                pair.reset()
                return
            pair.client.write(data)
            await pair.client.drain()

    async def _piece(self, reader: asyncio.StreamReader) -> bytes:
        rate = self._bytes_per_second
        data = await reader.read(max(1, min(PIECE, rate // 10)) if rate else PIECE)
        if rate:
            await asyncio.sleep(len(data) / rate)
        await self._flows.wait()
        return data


class _Pair:
    """A client's connection and the server's."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.frontend = Frontend()
        self.is_deaf = False

    def reset(self) -> None:
        for writer in (self.client, self.server):
            _reset(writer)

    def close(self) -> None:
        for writer in (self.client, self.server):
            with contextlib.suppress(OSError):
                writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    writer.transport.abort()
