"""The embedded log and Apache Kafka 4.1, each as a process that can be measured."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

_EMBEDDED = """
import sys
from pathlib import Path
from grnry.log.broker import BrokerSettings, run
sys.exit(run(BrokerSettings(data=Path(sys.argv[1]), port=int(sys.argv[2]), fsync=sys.argv[3])))
"""
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fetch_kafka() -> Path | None:
    """Apache Kafka's jars; None where there is no Java or no Maven."""
    return fetch_jars("apache-kafka-4.1.1", Path(__file__).with_name("pom.xml"))


def fetch_jars(name: str, pom: Path) -> Path | None:
    """What a pom asks for, brought by Maven once; None where there is no Java or no Maven."""
    libs = Path(sys.prefix) / name
    if shutil.which("java") is None or (shutil.which("mvn") is None and not libs.exists()):
        return None
    if not libs.exists():
        part = libs.with_name(libs.name + ".unfinished")
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={part}"]
        subprocess.run(["mvn", "-q", "-B", "-f", str(pom), *goal], check=True)
        part.rename(libs)
    return libs


class Broker:
    """A broker's process; `start` may be called again after `end`."""

    name = ""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _prepare(self) -> None:
        pass

    def start(self) -> float:
        """Seconds until it answers."""
        self.data.mkdir(exist_ok=True)
        self._prepare()
        command = self._command()
        output = (self.data.parent / f"{self.data.name}.out").open("ab")
        started = time.perf_counter()
        self._process = subprocess.Popen(command, stdout=output, stderr=output)
        output.close()
        self.wait(self._listens, 60)
        self.wait(self._answers, 60)
        return time.perf_counter() - started

    def wait(self, condition: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert self._process is not None
            assert self._process.poll() is None, f"{self.name} ended: see {self.data}.out"
            assert time.monotonic() < until, f"{self.name} took too long"
            time.sleep(0.002)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _answers(self) -> bool:
        try:
            AdminClient({"bootstrap.servers": self.address, "log_level": 0}).list_topics(timeout=5)
        except KafkaException:
            return False
        return True

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def memory_mb(self) -> float:
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def create_topics(self, names: list[str], partitions: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.address})
        for start in range(0, len(names), 100):
            topics = [NewTopic(name, partitions, 1) for name in names[start : start + 100]]
            for done in admin.create_topics(topics, request_timeout=60).values():
                done.result(60)

    def delete_topic(self, name: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.delete_topics([name])[name].result(30)


class Embedded(Broker):
    name = "embedded"

    def __init__(self, data: Path, fsync: str = "always") -> None:
        super().__init__(data)
        self._fsync = fsync

    def _command(self) -> list[str]:
        return [sys.executable, "-c", _EMBEDDED, str(self.data), str(self.port), self._fsync]


class Kafka(Broker):
    name = "kafka"

    def __init__(self, data: Path, libs: Path) -> None:
        super().__init__(data)
        self._java = ["java", "-Xmx1g", "-cp", f"{libs}/*"]
        self._properties = data.with_suffix(".properties")

    def _prepare(self) -> None:
        """A new folder is formatted, which is no part of what a start takes."""
        if self._properties.exists():
            return
        text = _PROPERTIES.format(port=self.port, controller=free_port(), data=self.data)
        self._properties.write_text(text)
        # An id that begins with a dash would be taken for an option.
        cluster = base64.b64encode(uuid4().bytes, b"AB").decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties)]
        subprocess.run([*self._java, *tool], check=True, capture_output=True)

    def _command(self) -> list[str]:
        return [*self._java, "kafka.Kafka", str(self._properties)]
