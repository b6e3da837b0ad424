"""Fetch: whole batches as they lie in the files; who asks too early waits for an append.

A client asks for the next fetch when it has the answer to the last one, so a partition that it
begins with meanwhile waits for that. Where a client is about to begin with partitions (this fetch
has new ones, or its group has just given it some) the wait is therefore short, however long it asks
for: others of them may have missed the fetch.
"""

import asyncio
import logging
from contextlib import suppress
from typing import NamedTuple

from grnry.log.broker.protocol import fetch
from grnry.log.broker.protocol.errors import ErrorCode, RequestError
from grnry.log.broker.settings import Limits
from grnry.log.broker.storage.partition import PartitionLog, Readable
from grnry.log.broker.storage.store import Store, now_ms

from .answers import Answer, FilePart, Pieces, Request
from .outgoing import read_cached

log = logging.getLogger("grnry.log.broker")

_LONGEST_WAIT_MS = 600_000
_NEW_PARTITIONS_WAIT_MS = 20
_NEW_ASSIGNMENT_WAIT_MS = 200
_NEW_ASSIGNMENT_SECONDS = 3.0
_AT_ONCE = 16 << 10


class Found(NamedTuple):
    """What one look at the partitions gave; the bytes are not read yet."""

    results: list[fetch.FetchResult]
    places: list[Readable | None]
    size: int
    has_error: bool
    logs: list[PartitionLog]


class FetchHandler:
    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._assigned: dict[tuple[str, str], float] = {}
        self._waiting: dict[tuple[str, str], set[Waiter]] = {}

    def assigned(self, client: tuple[str, str]) -> None:
        """A client (its id and host) is a member that gets its partitions now."""
        now = self._loop.time()
        self._assigned = {one: until for one, until in self._assigned.items() if until > now}
        self._assigned[client] = now + _NEW_ASSIGNMENT_SECONDS
        for waiter in self._waiting.get(client, ()):
            waiter.hurry(_NEW_ASSIGNMENT_WAIT_MS / 1000)

    def __call__(self, request: Request) -> Answer:
        asked = fetch.read(request.version, request.frame, request.body_at)
        if asked.session_id != 0:
            code = ErrorCode.FETCH_SESSION_ID_NOT_FOUND
            return list(fetch.write(request.version, [], code))
        found = self.look(asked)
        if found.size >= asked.min_bytes or found.has_error or asked.max_wait_ms <= 0:
            return _write(request.version, found)
        # Registered before anything else runs, or an append in between would wake nobody.
        waiter = Waiter(found.logs, self._longest_wait_ms(request, asked) / 1000)
        return self._wait(request, asked, found, waiter)

    def _longest_wait_ms(self, request: Request, asked: fetch.FetchRequest) -> int:
        longest = min(asked.max_wait_ms, _LONGEST_WAIT_MS)
        if self._assigned.get(request.client, 0.0) > self._loop.time():
            longest = min(longest, _NEW_ASSIGNMENT_WAIT_MS)
        partitions = frozenset((part.topic, part.partition) for part in asked.partitions)
        if not partitions <= request.session.fetched:
            longest = min(longest, _NEW_PARTITIONS_WAIT_MS)
        request.session.fetched = partitions
        return longest

    async def _wait(
        self, request: Request, asked: fetch.FetchRequest, found: Found, waiter: "Waiter"
    ) -> Pieces:
        version = request.version
        waiting = self._waiting.setdefault(request.client, set())
        waiting.add(waiter)
        try:
            while await waiter.woken():
                found = self.look(asked)
                if found.size >= asked.min_bytes or found.has_error:
                    break
                waiter.wait_again()
        finally:
            waiter.close()
            waiting.discard(waiter)
            if not waiting:
                self._waiting.pop(request.client, None)
        return _write(version, found)

    def look(self, asked: fetch.FetchRequest) -> Found:
        found = Found([], [], 0, False, [])
        size, has_error = 0, False
        left = min(asked.max_bytes, self._limits.response_bytes)
        now = now_ms()
        for part in asked.partitions:
            place = None
            try:
                partition = self._log(part, now)
                result = _result(part, ErrorCode.NONE, partition)
                found.logs.append(partition)
                wanted = min(part.max_bytes, left - size)
                if size == 0 or wanted > 0:
                    place = partition.readable(part.offset, max(wanted, 0), at_least_one=size == 0)
            except RequestError as error:
                result, has_error = _result(part, error.code, None), True
            except OSError as error:
                log.warning("%s/%d can't be read: %s", part.topic, part.partition, error)
                result = _result(part, ErrorCode.KAFKA_STORAGE_ERROR, None)
                has_error, place = True, None
            size += place.size if place else 0
            found.results.append(result)
            found.places.append(place)
        return found._replace(size=size, has_error=has_error)

    def _log(self, part: fetch.FetchPartition, now: int) -> PartitionLog:
        check_epoch(part.leader_epoch, self._store.epoch)
        return self._store.topics.get(part.topic).log(part.partition, now)


def check_epoch(asked: int, ours: int) -> None:
    """A client that knows another leader epoch has to look where its log ends."""
    if asked >= 0 and asked != ours:
        code = ErrorCode.FENCED_LEADER_EPOCH if asked < ours else ErrorCode.UNKNOWN_LEADER_EPOCH
        raise RequestError(code)


def _result(
    part: fetch.FetchPartition, code: ErrorCode, log: PartitionLog | None
) -> fetch.FetchResult:
    if log is None:
        return fetch.FetchResult(part.topic, part.partition, code)
    return fetch.FetchResult(part.topic, part.partition, code, log.stable_offset, log.start_offset)


class Waiter:
    """Waits until something is appended to one of the logs, or the time is up."""

    def __init__(self, logs: list[PartitionLog], seconds: float) -> None:
        self._logs = logs
        self._loop = asyncio.get_running_loop()
        self._is_over = False
        self._timer = self._loop.call_later(seconds, self._time_is_up)
        self.wait_again()

    def wait_again(self) -> None:
        self._woken: asyncio.Future[bool] = self._loop.create_future()
        for log in self._logs:
            if log.waiters is None:
                log.waiters = set()
            log.waiters.add(self._wake)
        if self._is_over:
            self._woken.set_result(False)

    def woken(self) -> "asyncio.Future[bool]":
        """True after an append, False when the time is up."""
        return self._woken

    def hurry(self, seconds: float) -> None:
        """Wait no longer than this from now."""
        if self._timer.when() > self._loop.time() + seconds:
            self._timer.cancel()
            self._timer = self._loop.call_later(seconds, self._time_is_up)

    def _wake(self) -> None:
        if not self._woken.done():
            self._woken.set_result(True)

    def _time_is_up(self) -> None:
        self._is_over = True
        if not self._woken.done():
            self._woken.set_result(False)

    def close(self) -> None:
        self._timer.cancel()
        for log in self._logs:
            if log.waiters:
                log.waiters.discard(self._wake)


def _write(version: int, found: Found) -> Pieces:
    results = [
        result._replace(records=_part(place)) if place else result
        for result, place in zip(found.results, found.places, strict=True)
    ]
    return list(fetch.write(version, results))


def _part(place: Readable) -> bytes | bytearray | FilePart:
    """Few bytes are read at once: to keep their file open would cost more."""
    if place.size <= _AT_ONCE:
        with suppress(BlockingIOError):
            return read_cached(place.file, place.position, place.size)
    return FilePart(place.file, place.position, place.size)
