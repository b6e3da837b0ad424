"""Logs that lose their end: files are cut, or put back from an older copy, while no broker runs."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from grnry.log.admin import Admin
from grnry.log.broker.storage.store import EPOCHS_SINCE
from grnry.log.cluster import Cluster
from grnry.log.producer import Producer
from grnry.log.records import Outgoing, Partition, Record
from grnry.log.tail import tail
from tests.log.apache_kafka import ApacheKafka
from tests.log.broker.running import RunningBroker, wait_until
from tests.log.certificates import make

PARTITIONS = 2


class LosingLog:
    """A broker whose files somebody changes; the records of one topic."""

    def __init__(
        self, broker: RunningBroker | ApacheKafka, cluster: Cluster, data: Path, topic: str
    ) -> None:
        self.cluster = cluster
        self.topic = topic
        self._broker = broker
        self._data = data
        assert Admin(cluster).create_topic(topic, PARTITIONS, 1, {})

    def folder(self, partition: int) -> Path:
        """Where the files of a partition are."""
        raise NotImplementedError

    def write(self, records: Sequence[Outgoing]) -> None:
        producer = Producer(self.cluster, delivery_ms=60_000)
        try:
            assert producer.send_and_wait(self.topic, records) == [None] * len(records)
        finally:
            producer.close()

    @property
    def ends(self) -> dict[Partition, int]:
        places = [(self.topic, number) for number in range(PARTITIONS)]
        return {p: span.end for p, span in Admin(self.cluster).spans(places).items()}

    def read(self) -> list[Record]:
        """All that it has, by partition and offset."""
        ends = self.ends
        found = list(tail(self.cluster, dict.fromkeys(ends, 0), ends))
        return sorted(found, key=lambda record: (record.partition(), record.offset()))

    def sizes(self) -> dict[Path, int]:
        """Of the files of partition 0, so that they can be cut to it."""
        return {path: path.stat().st_size for path in self.folder(0).glob("*.log")}

    def stop(self) -> None:
        self._broker.kill()

    def start(self) -> None:
        self._broker.start()

    def cut(self, sizes: dict[Path, int]) -> None:
        """What a power cut leaves where nothing was synced."""
        for path, size in sizes.items():
            os.truncate(path, size)

    def copy(self) -> Path:
        """A backup of the whole folder."""
        made = self._data.with_name("copy")
        shutil.copytree(self._data, made)
        return made

    def put_back(self, copy: Path) -> None:
        shutil.rmtree(self._data)
        copy.rename(self._data)


class LosingEmbedded(LosingLog):
    def __init__(self, folder: Path, topic: str) -> None:
        data = folder / "log"
        broker = RunningBroker(data)
        broker.start()
        super().__init__(broker, Cluster(broker.address), data, topic)

    def folder(self, partition: int) -> Path:
        return self._data / "topics" / self.topic / str(partition)

    def stop(self) -> None:
        super().stop()
        # Starts in quick succession take epochs ahead of the clock; a copy put back needs it ahead.
        used = json.loads((self._data / "broker.json").read_bytes())["epoch"]
        wait_until(lambda: time.time() - EPOCHS_SINCE > used + 1)


class LosingKafka(LosingLog):
    def __init__(self, folder: Path, topic: str) -> None:
        broker = ApacheKafka(folder / "kafka", make(folder / "certificates"))
        super().__init__(broker, broker.plain, folder / "kafka" / "data", topic)

    def folder(self, partition: int) -> Path:
        return self._data / f"{self.topic}-{partition}"
