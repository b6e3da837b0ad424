"""Compaction of what is due, in a thread that leaves half of the time to others."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from grnry.log.broker.errors import BrokerError
from grnry.log.broker.protocol.errors import RequestError
from grnry.log.broker.storage import compaction
from grnry.log.broker.storage.store import Store, now_ms
from grnry.log.broker.storage.topics import Topic

log = logging.getLogger("grnry.log.broker")

_LONGEST_TURN = 0.002
_LONGEST_PAUSE = 0.05


class _StoppedError(Exception):
    """The broker stops, or the topic is gone: the pass is left where it is."""


class _Pace:
    """Called by the thread between two batches: it holds Python's lock while it works."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self._is_over = Event()

    def __call__(self) -> None:
        worked = time.perf_counter() - self._since
        if worked < _LONGEST_TURN:
            return
        if self._is_over.wait(min(worked, _LONGEST_PAUSE)):
            raise _StoppedError
        self._since = time.perf_counter()

    def stop(self) -> None:
        self._is_over.set()


class Compactor:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._failed: dict[Path, int] = {}  # not tried again before there is another segment

    async def compact(self, topic: Topic, number: int) -> None:
        """One pass over a partition, if it is due."""
        try:
            partition = topic.log(number, now_ms())
            last = partition.segments[-1].base if partition.segments else 0
            if self._failed.get(partition.folder) == last:
                return
            if not compaction.is_due(partition, now_ms()):
                return
            pace = _Pace()
            pass_ = compaction.steps(partition, topic.config, now_ms(), pace)
            freed = await self._run(topic, pass_, pace)
        except _StoppedError:
            return
        except RequestError as error:
            log.warning("compaction of %s/%d failed: %s", topic.name, number, error)
        except (BrokerError, OSError) as error:
            if self._is_there(topic):
                self._failed[partition.folder] = last
                log.warning("compaction of %s/%d failed: %s", topic.name, number, error)
        else:
            log.info("%s: compaction freed %d bytes", partition.folder, freed)

    async def _run(self, topic: Topic, pass_: compaction.Steps, pace: _Pace) -> int:
        loop = asyncio.get_running_loop()
        result: Any = None
        try:
            while True:
                work: Callable[[], Any] = pass_.send(result)
                result = await loop.run_in_executor(None, work)
                if not self._is_there(topic):
                    raise _StoppedError
        except StopIteration as end:
            freed: int = end.value
            return freed
        finally:
            pace.stop()
            pass_.close()

    def _is_there(self, topic: Topic) -> bool:
        return self._store.topics.find(topic.name) is topic
