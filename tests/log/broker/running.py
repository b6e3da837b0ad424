"""A broker in a process of its own, that tests may stop, kill and start again."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.conftest import free_port

_PROGRAM = """
import json, logging, sys
from pathlib import Path
from grnry.log.broker import *
logging.basicConfig(level=logging.INFO)
given = json.loads(sys.argv[1])
given["data"] = Path(given["data"])
failing = given.pop("sync_fails_beside", None)
if failing:  # a disk that fails as soon as this file is there
    import errno, os
    fdatasync = os.fdatasync
    def sync(fd):
        if Path(failing).exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fdatasync(fd)
    os.fdatasync = sync
given["log"] = LogDefaults(**given.get("log", {}))
given["limits"] = Limits(**given.get("limits", {}))
given["security"] = Security(
    **{k: v if isinstance(v, bool) else Path(v) for k, v in given.get("security", {}).items()}
)
given["groups"] = GroupSettings(**given.get("groups", {"initial_rebalance_delay_ms": 10}))
try:
    sys.exit(run(BrokerSettings(**given)))
except BrokerStartError as error:
    sys.exit(f"BrokerStartError: {error}")
"""


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What the condition gives as soon as that is true."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
    return value


class RunningBroker:
    def __init__(self, data: Path, **settings: Any) -> None:
        self.data = data
        self.port = free_port()
        self.settings = settings
        self._is_known = False  # clients may have been told its address
        self._process: subprocess.Popen[bytes] | None = None
        # Not a pipe: who does not read it would hold the broker up, and so the test.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with this object)
        weakref.finalize(self, self._log.close)
        self._admin: AdminClient | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ended = None if self._process is None else self._process.poll()
        self.kill()
        logged = self.logged()
        assert ended is None, f"the broker ended by itself ({ended}): {logged[-5000:]}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def spawn(self) -> "subprocess.Popen[bytes]":
        self._log.seek(0)
        self._log.truncate()
        given = {"data": str(self.data), "port": self.port, **self.settings}
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(given)],
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": "src"},
        )

    def start(self) -> None:
        self._admin = None  # librdkafka's admin client gives up on a broker that was away
        self._process = self.spawn()
        wait_until(self._is_ready)

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            self._process = None
            if "Address already in use" not in self.logged() or self._is_known:
                raise AssertionError(self.logged())
            self.port = free_port()  # somebody else was faster
            self._process = self.spawn()
        # Its own word: another's broker might answer on the port.
        is_ready = f":{self.port}, data in {self.data}" in self.logged()
        self._is_known = self._is_known or is_ready
        return is_ready

    def refusal(self) -> str:
        """What a start that must fail says."""
        process = self.spawn()
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 1, self.logged()
        return self.logged()

    def logged(self) -> str:
        """What it has logged since its start."""
        return os.pread(self._log.fileno(), 10 << 20, 0).decode()

    def stop(self) -> str:
        """End it in order; gives what it has logged."""
        assert self._process is not None
        process, self._process = self._process, None
        process.terminate()
        process.wait(20)
        assert process.returncode == 0, self.logged()
        return self.logged()

    def wait_for_its_end(self) -> tuple[int, str]:
        """It ends by itself: its exit code, and what it has logged."""
        assert self._process is not None
        process, self._process = self._process, None
        return process.wait(60), self.logged()

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    # Clients

    @property
    def admin(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        return self._admin

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        settings = {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(name, partitions, 1, config=settings)
        self.admin.create_topics([topic])[name].result(30)

    def producer(self, **settings: Any) -> Producer:
        given = {key.replace("_", "."): value for key, value in settings.items()}
        return Producer(
            {
                "bootstrap.servers": self.address,
                "log_level": 0,
                "enable.idempotence": True,
                "linger.ms": 2,
                "reconnect.backoff.max.ms": 100,
                **given,
            }
        )

    def consumer(self, group: str, **settings: Any) -> Consumer:
        given = {key.replace("_", "."): value for key, value in settings.items()}
        return Consumer(
            {
                "bootstrap.servers": self.address,
                "log_level": 0,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 100,
                "fetch.wait.max.ms": 50,
                **given,
            }
        )

    def produce(self, topic: str, values: list[str], **settings: Any) -> None:
        # Getting a producer id takes librdkafka half a second, which not every test need pay.
        producer = self.producer(**{"enable_idempotence": False, **settings})
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failures.append(error)

        for value in values:
            producer.produce(topic, value, on_delivery=delivered)
        assert producer.flush(60) == 0
        assert not failures

    def read_all(self, topic: str, count: int, group: str = "reader") -> list[Message]:
        """So many records of a topic, and a moment to see that there are no more."""
        consumer = self.consumer(group)
        consumer.subscribe([topic])
        try:
            found: list[Message] = []
            until = time.monotonic() + 60
            while len(found) < count:
                assert time.monotonic() < until, f"{len(found)} of {count}"
                found += [one for one in consumer.consume(10_000, 0.2) if one.error() is None]
            return found + consumer.consume(1, 0.2)
        finally:
            consumer.close()
