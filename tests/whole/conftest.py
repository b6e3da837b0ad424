"""A Granary of its own for tests that kill it, on the embedded log or on Apache Kafka."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running import Granary

BROKER = os.environ.get("GRNRY_TEST_BROKER", "")


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="grnry-whole-"))
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def own_granary(request: pytest.FixtureRequest, data: Path) -> Iterator[Granary]:
    """One that a test may kill; GRNRY_TEST_BROKER=kafka says on what."""
    if BROKER == "kafka":
        yield request.getfixturevalue("kafka_granary")
        return
    with running(Granary(data)) as granary:
        yield granary


@pytest.fixture
def kafka_granary(data: Path) -> Iterator[Granary]:
    """One that a test may kill, but for its broker."""
    from tests.log.apache_kafka import ApacheKafka
    from tests.log.certificates import make

    kafka = ApacheKafka(data.parent / "kafka", make(data.parent / "certificates"))
    try:
        with running(Granary(data, GRNRY_KAFKA_BOOTSTRAP=kafka.plain.bootstrap)) as granary:
            yield granary
    finally:
        kafka.kill()


@contextmanager
def running(granary: Granary) -> Iterator[Granary]:
    granary.start()
    yield granary
    if granary.process.poll() is None:
        granary.stop()
