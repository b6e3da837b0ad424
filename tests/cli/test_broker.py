"""`grnry broker check` and `dump`, run as their users do, on the files of a stopped log."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.log.broker.running import RunningBroker, wait_until
from tests.running import COMMAND


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The folder of a broker that wrote three batches of two records each, and ended."""
    folder = tmp_path / "log"
    with RunningBroker(folder) as broker:
        broker.create_topic("t")
        # Never flushed, so that no batch goes before it is full.
        producer = broker.producer(batch_num_messages=2, linger_ms=60_000)
        for number in range(3):
            producer.produce("t", f"a{number}")
            producer.produce("t", f"b{number}")
        wait_until(lambda: producer.poll(0) >= 0 and len(producer) == 0)
        broker.stop()
        broker.start()
        broker.stop()
    return folder


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "broker", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_sound_log_is_checked_and_listed(log: Path) -> None:
    checked = run("check", "--data", str(log))
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "1 topics, 1 written partitions, 1 files, 3 batches, 6 records" in checked.stdout
    assert checked.stdout.endswith("a clean stop.\nSound.\n")
    listed = run("dump", "t", "--data", str(log)).stdout.splitlines()
    assert [line.split(" ")[2] for line in listed] == ["0-1", "2-3", "4-5"]
    assert all("crc ok" in line for line in listed), listed
    some = run("dump", "t", "0", "--data", str(log), "--from", "3", "-n", "1", "--json").stdout
    (one,) = [json.loads(line) for line in some.splitlines()]
    assert (one["first_offset"], one["records"], one["is_crc_ok"]) == (2, 2, True)


def test_damage_is_named_with_what_cutting_loses(log: Path) -> None:
    (path,) = (log / "topics" / "t" / "0").glob("*.log")
    data = bytearray(path.read_bytes())
    second = 12 + int.from_bytes(data[8:12])  # a batch says its length after its offset
    data[second + 70] ^= 1
    path.write_bytes(data)
    checked = run("check", "--data", str(log))
    assert checked.returncode == 1
    assert f"damage: {path}, byte {second}, offset 2" in checked.stdout
    assert f"truncate -s {second} '{path}'" in checked.stdout
    found = json.loads(run("check", "--data", str(log), "--json").stdout)
    assert found["is_sound"] is False
    (finding,) = found["findings"]
    assert finding["loss"]["sound_records"] == 2
    listed = run("dump", "t", "--data", str(log), "--json").stdout.splitlines()
    assert [json.loads(line)["is_crc_ok"] for line in listed] == [True, False, True]


def test_what_can_not_be_looked_at_is_said(log: Path, tmp_path: Path) -> None:
    with RunningBroker(log):
        for words in (["check"], ["dump", "t"]):
            refused = run(*words, "--data", str(log))
            assert refused.returncode == 1
            assert refused.stderr.startswith(f"A broker runs on {log}")
    for words, reason in (
        (["check", "--data", str(tmp_path / "nowhere")], "has no topics"),
        (["dump", "u", "--data", str(log)], "has no topic u"),
        (["dump", "t", "1", "--data", str(log)], "t has no partition 1, only 0 to 0"),
    ):
        refused = run(*words)
        assert reason in refused.stderr, refused
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr
