"""The port with a password and encryption, over each broker."""

from dataclasses import replace

import pytest

from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.log.producer import Producer
from grnry.log.records import LogAway, Outgoing
from tests.log.broker.running import wait_until
from tests.log.contract.conftest import Server
from tests.log.contract.reading import Reader


@pytest.fixture
def safe(log_server: Server) -> Cluster:
    return log_server.safe


def test_everything_works_with_a_password_over_tls(safe: Cluster, name: str) -> None:
    admin = Admin(safe)
    assert admin.create_topic(name, 2, 1, {})
    producer = Producer(safe)
    assert producer.send_and_wait(name, [Outgoing(None, b"x" * 100_000)] * 30) == [None] * 30
    producer.close()
    reader = Reader(safe, name, "one")
    wait_until(lambda: len(reader.step().records) >= 30)
    reader.consumer.commit_and_wait(reader.offsets)
    assert admin.progress(f"group of {name}").lag == 0
    reader.consumer.close()
    admin.delete_topic(name)


def test_a_wrong_password_is_told(safe: Cluster) -> None:
    admin = Admin(replace(safe, password="wrong"))
    with pytest.raises(LogAway, match=r"(?i)authentication"):
        wait_until(lambda: admin.brokers(2))


def test_a_broker_that_is_not_trusted_is_told(safe: Cluster) -> None:
    with pytest.raises(LogAway, match=r"(?i)ssl|certificate"):
        Admin(replace(safe, ca="")).brokers(2)


def test_plain_text_to_an_encrypted_listener_is_no_answer(safe: Cluster) -> None:
    with pytest.raises(LogAway):
        Admin(safe.bootstrap).brokers(2)
