"""Passwords and encryption of the broker's listener, with real clients and by hand."""

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from grnry.log.broker import BrokerStartError
from grnry.log.broker.server.security import Users
from tests.log.broker.running import RunningBroker, wait_until
from tests.log.certificates import Certificates, make

NOT_AUTHENTICATED = KafkaError._AUTHENTICATION


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.touch(0o600)
    path.write_text("# who may write\nann:an: odd=password \nbob:b\n")
    return path


@pytest.fixture
def secured(tmp_path: Path, certificates: Certificates, users: Path) -> Iterator[RunningBroker]:
    security = {
        "certificate": str(certificates.certificate),
        "key": str(certificates.key),
        "users": str(users),
    }
    with RunningBroker(tmp_path / "log", security=security) as running:
        yield running


def login(certificates: Certificates, name: str, password: str) -> dict[str, str]:
    return {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "PLAIN",
        "sasl.username": name,
        "sasl.password": password,
        "ssl.ca.location": str(certificates.authority),
    }


def error_of(broker: RunningBroker, **settings: Any) -> int | None:
    """What a client is told when it asks for the topics."""
    errors: list[KafkaError] = []
    given: dict[str, Any] = {"error_cb": errors.append, "reconnect.backoff.max.ms": 100, **settings}
    client = AdminClient({"bootstrap.servers": broker.address, "log_level": 0, **given})

    def is_answered() -> bool:
        with contextlib.suppress(KafkaException):
            client.list_topics(timeout=0.3)
            return True
        client.poll(0)
        return bool(errors)

    wait_until(is_answered)
    return int(errors[0].code()) if errors else None


def test_who_knows_the_password_writes_and_reads_encrypted(
    secured: RunningBroker, certificates: Certificates
) -> None:
    ann = login(certificates, "ann", "an: odd=password ")
    assert error_of(secured, **ann) is None
    secured._admin = AdminClient({"bootstrap.servers": secured.address, **ann})
    secured.create_topic("t", 2)
    sent = [f"{number} " + "x" * 5_000 for number in range(2_000)]
    secured.produce("t", sent, **ann)
    consumer = secured.consumer("g", **ann)
    consumer.subscribe(["t"])
    found: list[str] = []
    until = time.monotonic() + 30
    while len(found) < 2_000 and time.monotonic() < until:
        found += texts(consumer.consume(1000, 0.1))
    consumer.close()
    assert sorted(found) == sorted(sent)


def texts(messages: list[Any]) -> list[str]:
    return [one.value().decode() for one in messages if one.error() is None]


def test_who_does_not_is_told_so(secured: RunningBroker, certificates: Certificates) -> None:
    for name, password in (("ann", "wrong"), ("nobody", "b"), ("bob", "b ")):
        assert error_of(secured, **login(certificates, name, password)) == NOT_AUTHENTICATED
    scram = {**login(certificates, "bob", "b"), "sasl.mechanism": "SCRAM-SHA-256"}
    assert error_of(secured, **scram) == NOT_AUTHENTICATED
    without = {k: v for k, v in login(certificates, "", "").items() if not k.startswith("sasl.")}
    assert error_of(secured, **{**without, "security.protocol": "ssl"}) is not None
    assert error_of(secured) is not None
    assert "gave a wrong name or password, as 'nobody'" in secured.stop()


def test_a_user_who_is_added_or_removed_is_known_at_once(
    secured: RunningBroker, certificates: Certificates, users: Path
) -> None:
    carl = login(certificates, "carl", "c")
    assert error_of(secured, **carl) == NOT_AUTHENTICATED
    users.write_text("carl:c\n")
    assert error_of(secured, **carl) is None
    assert error_of(secured, **login(certificates, "bob", "b")) == NOT_AUTHENTICATED


def test_a_stranger_gets_no_answer_and_no_memory(
    secured: RunningBroker, certificates: Certificates
) -> None:
    context = ssl.create_default_context(cafile=str(certificates.authority))

    def connect() -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", secured.port), 10)
        return context.wrap_socket(plain, server_hostname="localhost")

    def ask(one: ssl.SSLSocket, request: bytes) -> bytes:
        one.sendall(struct.pack(">i", len(request)) + request)
        answers = one.makefile("rb")
        return answers.read(struct.unpack(">i", answers.read(4))[0])

    metadata = struct.pack(">hhih", 3, 1, 7, -1) + struct.pack(">i", -1)
    authenticate = struct.pack(">hhih", 36, 0, 8, -1) + struct.pack(">i", 6) + b"\0bob\0b"
    handshake = struct.pack(">hhih", 17, 1, 9, -1) + struct.pack(">h", 5) + b"PLAIN"
    with connect() as one:
        one.sendall(struct.pack(">i", len(metadata)) + metadata)
        assert one.recv(100) == b""
    with connect() as one:
        one.sendall(struct.pack(">i", 1 << 20))
        assert one.recv(100) == b""
    with connect() as one:  # not before a mechanism is agreed on
        assert struct.unpack_from(">ih", ask(one, authenticate)) == (8, 34)
    with connect() as one:
        assert struct.unpack_from(">ih", ask(one, handshake)) == (9, 0)
        assert struct.unpack_from(">ih", ask(one, authenticate)) == (8, 0)
        assert struct.unpack_from(">i", ask(one, metadata)) == (7,)


def test_other_machines_need_passwords_and_encryption(
    tmp_path: Path, certificates: Certificates, users: Path
) -> None:
    pem = {"certificate": str(certificates.certificate), "key": str(certificates.key)}
    for security, missing in (
        ({}, "--tls-certificate, --tls-key) and users"),
        (pem, "users with passwords (--users)"),
        ({"users": str(users)}, "a certificate (--tls-certificate"),
    ):
        said = RunningBroker(tmp_path / "log", host="0.0.0.0", security=security).refusal()
        assert missing in said
        assert "--insecure" in said
    open_to_all = RunningBroker(tmp_path / "log", host="0.0.0.0", security={"insecure": True})
    with open_to_all as running:
        running.settings["advertised_host"] = "localhost"
        assert "without encryption and passwords" in running.stop()
    with RunningBroker(tmp_path / "log", host="0.0.0.0", security={**pem, "users": str(users)}):
        pass


def test_clients_come_back_to_the_advertised_address(tmp_path: Path) -> None:
    given: dict[str, Any] = {"advertised_host": "localhost", "advertised_port": 4711}
    with RunningBroker(tmp_path / "log", **given) as running:
        found = running.admin.list_topics(timeout=10).brokers[0]
        assert f"{found.host}:{found.port}" == "localhost:4711"


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ("ann:a\n", 0o640, "chmod 600"),
        ("ann\n", 0o600, "line 1: a user is written as name:password"),
        ("ann:\n", 0o600, "line 1"),
        ("# nobody\n", 0o600, "names no user"),
        ("ann:a\nann:b\n", 0o600, "line 2: the user 'ann' is there twice"),
    ],
)
def test_a_file_of_users_that_is_wrong_is_refused(
    tmp_path: Path, text: str, mode: int, reason: str
) -> None:
    path = tmp_path / "users"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(BrokerStartError, match=reason):
        Users(path)


def test_what_is_missing_or_no_certificate_is_named(
    tmp_path: Path, certificates: Certificates, users: Path
) -> None:
    def refused(**security: str) -> str:
        return RunningBroker(tmp_path / "log", security=security).refusal()

    certificate = str(certificates.certificate)
    assert "can't be read: No such file" in refused(users=str(tmp_path / "nothing"))
    assert "can't be read: No such file" in refused(certificate=str(tmp_path / "nothing"))
    assert "are no certificate with its private key" in refused(certificate=str(users))
    exposed = tmp_path / "key.pem"
    exposed.write_bytes(certificates.key.read_bytes())
    exposed.chmod(0o644)
    assert "Everybody may read the private key" in refused(
        certificate=certificate, key=str(exposed)
    )
