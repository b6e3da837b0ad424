"""The threads in which handlers run, as what they do with the database and the log waits there.

The way into a thread and back is taken by nearly every request, so it is a short one: a queue, a
context, and one word to the loop. Whoever is cancelled does not wait for the thread, which goes on.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

# More would wait for each other, and for the database's connections, more than they would do.
MOST = 40

Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, and who waits for it."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    context: Context
    call: Callable[[], Any]

    def run(self) -> Callable[[], None]:
        """Do it; answers what is left for the loop to do."""
        try:
            result = self.context.run(self.call)
        except StopIteration as stop:  # which no future takes
            error = RuntimeError("StopIteration was raised in a thread.")
            error.__cause__ = stop
            return partial(self._end, self.future.set_exception, error)
        except BaseException as error:
            return partial(self._end, self.future.set_exception, error)
        return partial(self._end, self.future.set_result, result)

    def _end(self, tell: Callable[[Any], None], what: Any) -> None:
        if not self.future.done():
            tell(what)


class Threads:
    """So many threads at most, made when they are first needed; they end with the process."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._queue: SimpleQueue[Work] = SimpleQueue()
        self._lock = threading.Lock()
        self._made = 0
        self._works = 0

    async def run(
        self, function: Callable[Given, Result], *args: Given.args, **values: Given.kwargs
    ) -> Result:
        """Call it in a thread, in a copy of the caller's context."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.put(Work(loop, future, copy_context(), partial(function, *args, **values)))
        self._provide()
        return await future

    def _provide(self) -> None:
        with self._lock:
            self._works += 1
            if self._works <= self._made or self._made == self._most:
                return
            self._made += 1
        threading.Thread(target=self._serve, name=f"handler-{self._made}", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._serve_one()

    def _serve_one(self) -> None:
        work = self._queue.get()
        finish = work.run()
        with self._lock:
            self._works -= 1
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            work.loop.call_soon_threadsafe(finish)


run_in_thread = Threads().run
"""Of the process's threads, whichever loop asks."""
