"""The peer: Kafka Connect with Debezium's JDBC sink, reading Apache Kafka, writing our PostgreSQL.

Both are brought by Maven and started here. While others are measured the connector is paused and
both processes stand still: they would take a tenth of the machine. Each round but the first finds
them warm.
"""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks._log.brokers import Kafka, fetch_jars, fetch_kafka, free_port
from benchmarks._sinks.filling import Made, fill
from benchmarks._sinks.worker import LONGEST_SECONDS, LOOK_SECONDS, Database
from tests.conftest import wait_for

_WORKER = """
bootstrap.servers={kafka}
listeners=http://127.0.0.1:{port}
plugin.path={plugins}
plugin.discovery=only_scan
offset.storage.file.filename={folder}/offsets
offset.flush.interval.ms=5000
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=true
consumer.max.poll.records=5000
consumer.fetch.max.bytes=52428800
consumer.max.partition.fetch.bytes=20000000
"""
_SINK = """
name=sink
connector.class=io.debezium.connector.jdbc.JdbcSinkConnector
tasks.max=1
topics={topic}
consumer.override.auto.offset.reset=earliest
connection.url=jdbc:postgresql://{host}:{port}/{database}?reWriteBatchedInserts=true
connection.username={user}
connection.password={password}
collection.name.format=peer.${{topic}}
schema.evolution=basic
primary.key.mode=record_value
batch.size=5000
"""


class JdbcSink:
    """A connector that writes one topic into a table of its name in the schema `peer`."""

    def __init__(self, folder: Path, topic: str, url: str, settings: dict[str, str]) -> None:
        self._folder = folder
        self._topic = topic
        self._url = url
        self._settings = settings
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._kafka: Kafka | None = None

    def start(self, database: Database) -> bool:
        """Start Kafka and the worker; answers whether there is a Java to do so."""
        jars, here = fetch_kafka(), Path(__file__)
        connect = fetch_jars("kafka-connect-4.0.0", here.with_name("connect.xml"))
        debezium = fetch_jars("debezium-jdbc-3.3.1", here.with_name("debezium.xml"))
        if jars is None or connect is None or debezium is None:
            return False
        self._folder.mkdir()
        self._kafka = Kafka(self._folder / "kafka", jars)
        self._kafka.start()
        self._kafka.create_topics([self._topic], 1)
        database.execute("create schema if not exists peer")
        plugin = self._folder / "plugins" / "debezium"
        plugin.mkdir(parents=True)
        for jar in debezium.glob("*.jar"):
            # Connect has its own Jackson; Hibernate fails where there are two.
            if not jar.name.startswith("jackson-"):
                (plugin / jar.name).symlink_to(jar)
        self._run(connect)
        wait_for(self._is_running, 120, "Kafka Connect runs its sink")
        return True

    def _run(self, connect: Path) -> None:
        assert self._kafka is not None
        place = urlsplit(self._url)
        worker, sink = self._folder / "worker.properties", self._folder / "sink.properties"
        worker.write_text(
            _WORKER.format(
                kafka=self._kafka.address,
                port=self._port,
                plugins=self._folder / "plugins",
                folder=self._folder,
            )
        )
        given = "".join(f"{name}={value}\n" for name, value in self._settings.items())
        sink.write_text(
            given
            + _SINK.format(
                topic=self._topic,
                host=place.hostname,
                port=place.port,
                database=place.path.removeprefix("/"),
                user=place.username,
                password=place.password,
            )
        )
        main = "org.apache.kafka.connect.cli.ConnectStandalone"
        words = ["java", "-Xmx1500m", "-Dlog4j2.level=WARN", "-cp", f"{connect}/*", main]
        with (self._folder / "connect.out").open("wb") as output:
            self._process = subprocess.Popen(
                [*words, str(worker), str(sink)], stdout=output, stderr=output
            )

    def _call(self, method: str, path: str) -> bytes:
        address = f"http://127.0.0.1:{self._port}/connectors/sink{path}"
        request = urllib.request.Request(address, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            body: bytes = answer.read()
            return body

    def _state(self) -> str:
        assert self._process is not None
        assert self._process.poll() is None, self._said()
        try:
            found = json.loads(self._call("GET", "/status"))
        except (urllib.error.URLError, ConnectionError):
            return ""
        for task in found["tasks"]:
            assert task["state"] != "FAILED", task["trace"]
        states = {found["connector"]["state"], *(task["state"] for task in found["tasks"])}
        return states.pop() if len(states) == 1 and found["tasks"] else ""

    def _is_running(self) -> bool:
        return self._state() == "RUNNING"

    def _said(self) -> str:
        return f"Kafka Connect ended: {(self._folder / 'connect.out').read_text()[-3000:]}"

    def pause(self) -> None:
        self._signal(signal.SIGCONT)
        self._call("PUT", "/pause")
        wait_for(lambda: self._state() == "PAUSED", 60, "the sink is paused")
        self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        assert self._kafka is not None
        for pid in (self._process.pid, self._kafka.pid):
            os.kill(pid, number)

    def fill(self, made: Iterable[Made]) -> None:
        assert self._kafka is not None
        self._signal(signal.SIGCONT)
        fill(self._kafka.address, self._topic, made)

    def run(self, is_there: Callable[[int], bool], records: int) -> float:
        """Let it write what was filled; rows a second after the first tenth.

        The topic has one partition, so what comes last is written last: its row tells the end, and
        nobody has to count.
        """
        begin, end = records // 10, records - 1
        self._signal(signal.SIGCONT)
        self._call("PUT", "/resume")
        self._until(lambda: is_there(begin))
        began = time.monotonic()
        self._until(lambda: is_there(end))
        rate = (end - begin) / (time.monotonic() - began)
        self.pause()
        return rate

    def _until(self, is_done: Callable[[], bool]) -> None:
        until, look_at = time.monotonic() + LONGEST_SECONDS, 0.0
        while not is_done():
            if time.monotonic() > look_at:
                self._state()
                look_at = time.monotonic() + 1
            assert time.monotonic() < until, self._said()
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._kafka is not None:
            self._kafka.end(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)
