"""The brokers that the port is tested against: the embedded log and Apache Kafka, both twice."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.log.producer import Producer
from grnry.log.records import Outgoing
from tests.log import java
from tests.log.apache_kafka import PASSWORD, ApacheKafka
from tests.log.broker.running import RunningBroker
from tests.log.certificates import Certificates, make
from tests.log.contract.reading import Reader

_NUMBERS = itertools.count(1)


class Server(Protocol):
    """A broker, whichever."""

    name: str

    @property
    def plain(self) -> Cluster: ...
    @property
    def safe(self) -> Cluster: ...
    def kill(self) -> None: ...
    def start(self) -> None: ...


class EmbeddedLog:
    """The embedded log, as two brokers: one of them asks for passwords."""

    name = "embedded"

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self._certificates = certificates
        users = folder / "users"
        users.touch(0o600)
        users.write_text(f"grnry:{PASSWORD}\n")
        security = {
            "certificate": str(certificates.certificate),
            "key": str(certificates.key),
            "users": str(users),
        }
        expiry = {"retention_check_interval": 0.2}
        self._plain = RunningBroker(folder / "plain", **expiry)
        self._safe = RunningBroker(folder / "safe", security=security, **expiry)
        self.start()

    @property
    def plain(self) -> Cluster:
        return Cluster(self._plain.address)

    @property
    def safe(self) -> Cluster:
        return Cluster(
            self._safe.address,
            "SASL_SSL",
            username="grnry",
            password=PASSWORD,
            ca=str(self._certificates.authority),
        )

    def start(self) -> None:
        self._plain.start()
        self._safe.start()

    def kill(self) -> None:
        self._plain.kill()
        self._safe.kill()


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="grnry-contract-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def certificates(folder: Path) -> Certificates:
    return make(folder / "certificates")


@pytest.fixture(scope="session", params=["embedded", "kafka"])
def log_server(
    request: pytest.FixtureRequest, folder: Path, certificates: Certificates
) -> Iterator[Server]:
    made: Server
    place = folder / f"{request.param}-{next(_NUMBERS)}"  # it may be made more than once
    place.mkdir()
    if request.param == "embedded":
        made = EmbeddedLog(place, certificates)
    else:
        if not all(map(shutil.which, ("java", "mvn"))) and "CI" not in os.environ:
            pytest.skip("Java or Maven is not installed")
        java.class_path()
        made = ApacheKafka(place, certificates)
    yield made
    made.kill()


@pytest.fixture
def cluster(log_server: Server) -> Cluster:
    return log_server.plain


@pytest.fixture
def admin(cluster: Cluster) -> Admin:
    return Admin(cluster)


@pytest.fixture
def producer(cluster: Cluster) -> Iterator[Producer]:
    made = Producer(cluster, delivery_ms=30_000)
    yield made
    made.close()


@pytest.fixture
def name() -> str:
    """A name for topics and groups that no other test has."""
    return f"name-{next(_NUMBERS)}"


@pytest.fixture
def topic(admin: Admin, name: str) -> Iterator[Callable[..., str]]:
    """Makes this test's topic."""

    def make_topic(partitions: int = 1, **config: str) -> str:
        given = {key.replace("_", "."): value for key, value in config.items()}
        assert admin.create_topic(name, partitions, 1, given)
        return name

    yield make_topic
    admin.delete_topic(name)


@pytest.fixture
def reader(cluster: Cluster, name: str) -> Iterator[Callable[..., Reader]]:
    made: list[Reader] = []

    def make_reader(member: str = "one", **given: object) -> Reader:
        made.append(Reader(cluster, name, member, **given))  # type: ignore[arg-type]
        return made[-1]

    yield make_reader
    for each in made:
        each.consumer.close()


@pytest.fixture
def send(producer: Producer, name: str) -> Callable[[Sequence[Outgoing | str]], None]:
    """Writes records, all of which are taken."""

    def send_all(records: Sequence[Outgoing | str]) -> None:
        made = [Outgoing(None, one.encode()) if isinstance(one, str) else one for one in records]
        assert producer.send_and_wait(name, made) == [None] * len(made)

    return send_all
