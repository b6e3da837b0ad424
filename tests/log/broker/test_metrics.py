"""What the broker tells of itself, asked as a monitoring system asks."""

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from grnry.log.broker import check
from grnry.log.broker.server.metrics import _escaped
from tests.conftest import free_port
from tests.log.broker.running import RunningBroker, wait_until


def _get(address: str, path: str) -> str:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def _wait_for(address: str) -> None:
    """It listens right after the broker's own port."""

    def is_there() -> bool:
        host, _, port = address.partition(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            return False
        return True

    wait_until(is_there)


def _values(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_what_is_counted(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with RunningBroker(tmp_path, metrics_address=address) as broker:
        _wait_for(address)
        assert _get(address, "/health/live") == _get(address, "/health/ready") == "ok\n"
        broker.create_topic("t")
        broker.produce("t", ["x" * 1000] * 10)
        consumer = broker.consumer("g")
        consumer.subscribe(["t"])
        found = wait_until(lambda: consumer.consume(4, 0.1))
        consumer.commit(message=found[-1], asynchronous=False)
        values = _values(_get(address, "/metrics"))
        name = "grnry_broker_"
        lag = name + 'group_lag{group="g",topic="t",partition="0"}'
        assert values[lag] == 10 - len(found)
        assert values[name + 'groups{state="Stable"}'] == 1
        assert values[name + 'requests_total{api="produce"}'] >= 1
        assert values[name + "bytes_in_total"] > 10_000
        assert values[name + "bytes_out_total"] > 10_000
        assert values[name + "topics"] == 1
        assert values[name + "open_files"] >= 1
        assert values[name + "connections"] >= 2
        assert values[name + "syncs_total"] >= 1
        assert values[name + "sync_seconds_total"] > 0
        consumer.close()


def test_strange_requests_are_refused(tmp_path: Path) -> None:
    port = free_port()
    with RunningBroker(tmp_path, metrics_address=f"127.0.0.1:{port}") as broker:
        _wait_for(f"127.0.0.1:{port}")
        for path, method, code in (("/", "GET", 404), ("/metrics", "POST", 405)):
            asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(asked, timeout=5)
            caught.value.close()
            assert caught.value.code == code
        for sent in (b"\r\n\r\n", b"x" * 100_000 + b"\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.sendall(sent)
        assert _get(f"127.0.0.1:{port}", "/health/live") == "ok\n"
        broker.stop()


def test_an_address_in_use_or_without_sense_stops_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for address in (f"127.0.0.1:{taken.getsockname()[1]}", "nowhere"):
            refusal = RunningBroker(tmp_path, metrics_address=address).refusal()
            assert "can't serve its metrics" in refusal
            assert check(tmp_path).was_clean


def test_labels_are_escaped() -> None:
    assert _escaped('a"b\\c\nd') == r"a\"b\\c\nd"
