"""The logs that a Granary under faults is given: brokers behind a proxy.

Where `grnry up` starts its own broker, as it does by default, nothing can be put before it, and the
supervisor is who starts it again.
"""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from tests.conftest import free_port, wait_for
from tests.faults.link import Link
from tests.log.apache_kafka import ApacheKafka
from tests.log.certificates import make

LOOPBACK = "127.0.0.1"
EMBEDDED, ALONE, KAFKA = "embedded", "alone", "kafka"
NAMES = (EMBEDDED, ALONE, KAFKA)


class Log(Protocol):
    """Brokers that `grnry up` is given; `link` lies between them and all of their clients."""

    link: Link

    @property
    def pid(self) -> int: ...

    def kill(self) -> None: ...

    def start(self) -> None:
        """Once more, after it was killed."""


def log_of(name: str, folder: Path) -> Log | None:
    """None for the one that `grnry up` starts itself."""
    if name == EMBEDDED:
        return None
    folder.mkdir(parents=True)
    return Alone(folder) if name == ALONE else Kafka(folder)


class Alone:
    """The embedded log as a process of its own, as it runs in a container."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.link = Link((LOOPBACK, free_port()), (LOOPBACK, self._port))
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        advertised = f"{LOOPBACK}:{self.link.address[1]}"
        words = ["--listen", f"{LOOPBACK}:{self._port}", "--advertise", advertised]
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "grnry", "broker", "--data", self._folder / "log", *words],
                stdout=output,
                stderr=output,
            )
        wait_for(self._is_ready, 60, "the broker listens")

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "output").read_text()[-3000:]
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self._port)) == 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Kafka:
    """Apache Kafka, one node."""

    def __init__(self, folder: Path) -> None:
        advertised = free_port()
        certificates = make(folder / "certificates")
        self._broker = ApacheKafka(folder / "broker", certificates, advertised)
        self.link = Link((LOOPBACK, advertised), (LOOPBACK, self._broker.port))

    @property
    def pid(self) -> int:
        return self._broker.pid

    def kill(self) -> None:
        self._broker.kill()

    def start(self) -> None:
        self._broker.start()
