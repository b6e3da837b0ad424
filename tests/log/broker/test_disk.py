"""A disk that fills up and is freed again, one that is read-only, and no file descriptors left."""

import os
import resource
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from grnry.log.broker import check
from tests.log.broker.ledger import SPOTLESS, Deliveries, Load, Reader, judge
from tests.log.broker.running import RunningBroker, wait_until


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "grnry-test", str(folder)]
    mount = shutil.which("mount")
    done = mount and subprocess.run(command, capture_output=True, text=True, check=False)
    if not done or done.returncode != 0:
        _skip_or_fail(done.stderr if done else "there is no mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _skip_or_fail(why: str) -> None:
    """Containers may be root without being allowed to mount: /proc tells."""
    status = Path("/proc/self/status").read_text()
    (line,) = [one for one in status.splitlines() if one.startswith("CapEff:")]
    may_mount = int(line.split()[1], 16) & (1 << 21)  # CAP_SYS_ADMIN
    if "CI" in os.environ and may_mount and "denied" not in why:
        pytest.fail(f"mounting should work here: {why}")
    pytest.skip(f"mounting is not possible here: {why}")


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_disk_that_fills_up_and_is_freed(disk: Path, is_killed: bool) -> None:
    told = Deliveries()
    settings = {"retention_check_interval": 3600, "log": {"segment_bytes": 1 << 18}}
    with RunningBroker(disk / "log", **settings) as broker:
        broker.create_topic("numbers", 2)
        load = Load(broker, "numbers")
        reader = Reader(broker, "numbers", "g", told)
        try:
            wait_until(lambda: load.has_reached(500) and told.commits > 1)
            ballast = fill(disk)
            at_full = len(load.acknowledged)
            wait_until(load.is_held_up)
            assert broker.admin.list_topics(timeout=10).topics.keys() == {"numbers"}
            if is_killed:
                broker.kill()
                refusal = broker.refusal()
                assert "No space left on device" in refusal
                assert "free" in refusal.lower()
            ballast.unlink()
            if is_killed:
                broker.start()
            wait_until(lambda: load.has_reached(at_full + 2500), 60)
        finally:
            load.finish()
            total = len(load.acknowledged)
            try:
                wait_until(lambda: told.count >= total, 60)
            finally:
                reader.finish()
        assert load.failed == []
        assert judge(broker.read_all("numbers", total), [load]) == SPOTLESS
        assert told.wrong == []
        logged = broker.stop()
        assert "Traceback" not in logged
        assert is_killed or "No space left on device" in logged
    assert check(disk / "log").is_sound


@pytest.mark.parametrize(
    ("fsync", "is_full"), [("always", False), ("always", True), ("interval", True)]
)
def test_a_disk_that_fails_to_sync_ends_the_broker(
    tmp_path: Path, fsync: str, is_full: bool
) -> None:
    """Also when a full file is closed: what is told to be safe afterwards would be a guess."""
    failing = tmp_path / "failing"
    settings = {"fsync": fsync, "log": {"segment_bytes": 1 << 14}, "fsync_interval": 3600}
    with RunningBroker(tmp_path / "log", sync_fails_beside=str(failing), **settings) as broker:
        broker.create_topic("t")
        broker.produce("t", ["a" * 10_000])
        producer = broker.producer(message_timeout_ms=2000)
        producer.list_topics(timeout=20)
        failing.touch()
        errors: list[KafkaError | None] = []
        value = "b" * (10_000 if is_full else 10)
        producer.produce("t", value, on_delivery=lambda error, _: errors.append(error))
        code, said = broker.wait_for_its_end()
        producer.flush(20)
        assert code == 1
        assert "stopped, as the disk failed to sync: [Errno 5] Input/output error" in said
        assert "Traceback" not in said
        assert errors[0] is not None
        failing.unlink()
        broker.start()
        assert "recovered 1 partitions" in broker.logged()
        broker.produce("t", ["c"])
        # Of "b" nothing was told; it is there where its file needed no closing first.
        expected = [b"a", b"c"] if is_full else [b"a", b"b", b"c"]
        found = broker.read_all("t", len(expected))
        assert [(one.value() or b"")[:1] for one in found] == expected


def test_a_read_only_folder_is_refused_and_left_as_it_is(disk: Path) -> None:
    with RunningBroker(disk / "log") as broker:
        broker.create_topic("t")
        broker.produce("t", ["a"])
        broker.stop()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert "Read-only file system" in broker.refusal()
        assert check(disk / "log").is_sound
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        broker.start()
        broker.produce("t", ["b"])
        assert [one.value() for one in broker.read_all("t", 2)] == [b"a", b"b"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir(mode=0o500)
    assert "Permission denied" in RunningBroker(folder).refusal()


def test_out_of_file_descriptors(tmp_path: Path) -> None:
    """New connections are turned away; who is there goes on, at the latest when some are freed."""
    told = Deliveries()
    log = {"segment_bytes": 1 << 14}
    with RunningBroker(tmp_path, log=log) as broker:
        broker.create_topic("numbers", 8)
        load = Load(broker, "numbers")
        reader = Reader(broker, "numbers", "g", told)
        try:
            wait_until(lambda: load.has_reached(2000) and told.commits > 1)
            before = resource.prlimit(broker.pid, resource.RLIMIT_NOFILE)
            used = len(os.listdir(f"/proc/{broker.pid}/fd"))  # noqa: PTH208
            resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (used + 2, before[1]))
            crowd = [socket.create_connection(("127.0.0.1", broker.port), 5) for _ in range(40)]
            wait_until(lambda: any(_is_closed(one) for one in crowd))
            reached = len(load.acknowledged)
            wait_until(lambda: load.has_reached(reached + 2000) or load.is_held_up(), 60)
            resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, before)
            for one in crowd:
                one.close()
            wait_until(lambda: load.has_reached(reached + 3000), 60)
        finally:
            load.finish()
            total = len(load.acknowledged)
            try:
                wait_until(lambda: told.count >= total, 60)
            finally:
                reader.finish()
        assert load.failed == []
        assert judge(broker.read_all("numbers", total), [load]) == SPOTLESS
        assert told.wrong == []
        assert "all is on the disk" in broker.stop()
    assert check(tmp_path).is_sound


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True
