"""What a crash, a damaged file or a second broker does to the log."""

import json
import os
import random
import shutil
import time
from pathlib import Path

import pytest
from confluent_kafka import Message, TopicPartition

from grnry.log.broker import BatchInfo, check, dump
from grnry.log.broker.storage.store import EPOCHS_SINCE
from tests.log.broker.running import RunningBroker, wait_until


@pytest.mark.parametrize("is_clean", [True, False])
def test_members_go_on_where_they_were_after_a_restart(
    broker: RunningBroker, is_clean: bool
) -> None:
    broker.create_topic("t", 2)
    broker.produce("t", [str(n) for n in range(1000)])
    revoked: list[object] = []
    consumer = broker.consumer("g", session_timeout_ms=6000, heartbeat_interval_ms=100)
    consumer.subscribe(["t"], on_revoke=lambda *_: revoked.append(True))
    found: list[Message] = []

    def read_up_to(count: int) -> bool:
        found.extend(one for one in consumer.consume(500, 0.2) if one.error() is None)
        return len(found) >= count

    wait_until(lambda: read_up_to(1000))
    consumer.commit(asynchronous=False)
    if is_clean:
        broker.stop()
    else:
        broker.kill()
    broker.start()
    broker.produce("t", [str(n) for n in range(1000, 2000)])
    wait_until(lambda: read_up_to(2000))
    consumer.commit(asynchronous=False)
    assert not revoked
    consumer.close()
    assert sorted(int(one.value() or b"") for one in found) == list(range(2000))


def _log_files(data: Path, topic: str, partition: int = 0) -> list[Path]:
    return sorted((data / "topics" / topic / str(partition)).glob("*.log"))


def test_a_torn_tail_is_cut(broker: RunningBroker) -> None:
    broker.create_topic("t")
    broker.produce("t", ["a", "b"])
    broker.produce("t", ["c"])
    broker.kill()
    (path,) = _log_files(broker.data, "t")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 7)
    broker.start()
    broker.produce("t", ["d"])
    assert [one.value() for one in broker.read_all("t", 3)] == [b"a", b"b", b"d"]


def test_zeros_at_the_tail_are_cut(broker: RunningBroker) -> None:
    broker.create_topic("t")
    broker.produce("t", ["a"])
    broker.kill()
    (path,) = _log_files(broker.data, "t")
    with path.open("ab") as file:
        file.write(bytes(5000))
    broker.start()
    broker.produce("t", ["b"])
    assert [one.value() for one in broker.read_all("t", 2)] == [b"a", b"b"]


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_byte_in_the_middle_stops_the_start(broker: RunningBroker, seed: int) -> None:
    broker.create_topic("t")
    for number in range(20):
        broker.produce("t", [f"record {number}"])
    broker.kill()
    (path,) = _log_files(broker.data, "t")
    data = bytearray(path.read_bytes())
    size = len(data) // 20
    at = random.Random(seed).randrange(5 * size, 15 * size)
    while at % size in range(12, 16):  # the leader epoch is in no checksum
        at += 1
    data[at] ^= 0xFF
    path.write_bytes(data)
    refusal = broker.refusal()
    assert str(path) in refusal
    assert "truncate -s" in refusal


def test_the_named_way_out_works(broker: RunningBroker) -> None:
    broker.create_topic("t")
    for value in ("a", "b", "c"):
        broker.produce("t", [value])
    broker.kill()
    (path,) = _log_files(broker.data, "t")
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third + 65] ^= 1
    path.write_bytes(data)
    position = int(broker.refusal().split("truncate -s ")[1].split()[0])
    assert position == third
    with path.open("r+b") as file:
        file.truncate(position)
    broker.start()
    assert [one.value() for one in broker.read_all("t", 1)] == [b"a"]


def test_missing_indexes_are_made_anew(tmp_path: Path) -> None:
    with RunningBroker(tmp_path, log={"segment_bytes": 1 << 14}) as broker:
        broker.create_topic("t")
        broker.produce("t", [f"{n:0100}" for n in range(2000)], batch_num_messages=50)
        broker.stop()
        assert len(_log_files(tmp_path, "t")) > 3
        for path in tmp_path.glob("topics/t/0/*"):
            if path.suffix in {".index", ".state", ".checkpoint"}:
                path.unlink()
        broker.start()
        assert len(broker.read_all("t", 2000)) == 2000


def test_a_clean_stop_keeps_all_and_each_start_has_its_epoch(broker: RunningBroker) -> None:
    broker.create_topic("t", 2)
    broker.produce("t", [str(n) for n in range(100)])
    assert "all is on the disk" in broker.stop()
    broker.start()
    broker.produce("t", [str(n) for n in range(100, 200)])
    found = broker.read_all("t", 200)
    assert len({one.leader_epoch() for one in found}) == 2
    broker.kill()
    broker.start()
    broker.produce("t", ["last"])
    assert len({one.leader_epoch() for one in broker.read_all("t", 201, "again")}) == 3


def test_a_second_broker_on_the_folder_is_refused(broker: RunningBroker) -> None:
    second = RunningBroker(broker.data)
    started = time.monotonic()
    refusal = second.refusal()
    assert "Another broker" in refusal
    assert str(broker.pid) in refusal
    assert time.monotonic() - started < 20


def test_a_port_in_use_is_refused(broker: RunningBroker, tmp_path: Path) -> None:
    second = RunningBroker(tmp_path / "other")
    second.port = broker.port
    assert "can't listen on 127.0.0.1" in second.refusal()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "can't be used" in RunningBroker(tmp_path / "file").refusal()


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def test_a_flipped_byte_in_an_old_file(tmp_path: Path) -> None:
    """The start does not read old files; clients that check notice, and `check` names the place."""
    with RunningBroker(tmp_path, log={"segment_bytes": 1 << 14}) as broker:
        broker.create_topic("t")
        for start in range(0, 600, 10):  # a batch of ten records each
            broker.produce("t", [f"{number:0100}" for number in range(start, start + 10)])
        broker.kill()
        first, second, *_ = _log_files(tmp_path, "t")
        batches = [one for one in dump(tmp_path, "t", 0) if isinstance(one, BatchInfo)]
        damaged_from = batches[3].first_offset
        _flip(first, batches[3].position + 500)
        broker.start()
        consumer = broker.consumer("careful", check_crcs=True)
        consumer.assign([TopicPartition("t", 0, 0)])
        found: list[Message] = []

        def meets_the_damage() -> bool:
            found.extend(consumer.consume(1000, 0.2))
            return any(one.error() for one in found)

        wait_until(meets_the_damage)
        assert "_BAD_MSG" in {error.name() for one in found if (error := one.error()) is not None}
        assert {one.offset() for one in found if not one.error()} == set(range(damaged_from))
        consumer.close()
        broker.produce("t", ["after"])
        broker.stop()

        (finding,) = check(tmp_path).findings
        assert (finding.severity, finding.path, finding.offset) == ("damage", first, damaged_from)
        assert finding.loss is not None
        assert (finding.loss.from_offset, finding.loss.next_offset) == (
            damaged_from,
            int(second.stem),
        )
        with first.open("r+b") as file:
            file.truncate(int(finding.remedy.split("truncate -s ")[1].split()[0]))
        broker.start()
        kept = [*range(damaged_from), *range(int(second.stem), 601)]
        found = broker.read_all("t", len(kept))
        assert [one.offset() for one in found] == kept
        broker.stop()
        assert check(tmp_path).is_sound


def _wait_for_the_clock(data: Path) -> None:
    """Starts in quick succession take epochs ahead of the clock; a copy put back needs it ahead."""
    used = json.loads((data / "broker.json").read_bytes())["epoch"]
    wait_until(lambda: time.time() - EPOCHS_SINCE > used + 1)


@pytest.mark.parametrize("how", ["clean copy", "copy of a running log", "lost disk cache"])
def test_a_log_that_lost_its_end_tells_those_who_were_ahead(
    broker: RunningBroker, tmp_path: Path, how: str
) -> None:
    """What comes later takes the lost offsets again: who has read the lost ones must be told."""
    copy = tmp_path / "copy"
    broker.create_topic("t")
    broker.produce("t", [f"kept {number}" for number in range(100)])
    if how == "clean copy":
        broker.stop()
        shutil.copytree(broker.data, copy)
        broker.start()
    elif how == "copy of a running log":
        shutil.copytree(broker.data, copy)
    (path,) = _log_files(broker.data, "t")
    size = path.stat().st_size
    ahead = broker.consumer("ahead", auto_offset_reset="error")
    ahead.assign([TopicPartition("t", 0, 0)])
    found: list[Message] = []
    for number in range(20):
        broker.produce("t", [f"lost {number}"])

    def read() -> list[Message]:
        found.extend(ahead.consume(500, 0.1))
        return found

    wait_until(lambda: len(read()) >= 120)
    if how == "clean copy":
        broker.stop()
    else:
        broker.kill()
    _wait_for_the_clock(broker.data)
    if how == "lost disk cache":
        os.truncate(path, size)
    else:
        shutil.rmtree(broker.data)
        copy.rename(broker.data)
    broker.start()
    broker.produce("t", [f"new {number}" for number in range(500)])
    wait_until(lambda: any(one.error() for one in read()))
    (told,) = {error.str() for one in found if (error := one.error()) is not None}
    assert "truncation" in told
    assert not any((one.value() or b"").startswith(b"new") for one in found if not one.error())
    ahead.close()
    assert [one.offset() for one in broker.read_all("t", 600)] == list(range(600))


def test_who_waits_at_the_end_of_an_empty_partition_misses_nothing_by_a_restart(
    broker: RunningBroker,
) -> None:
    broker.create_topic("t")
    consumer = broker.consumer("late", auto_offset_reset="latest")
    consumer.assign([TopicPartition("t", 0)])
    wait_until(lambda: not consumer.consume(1, 0.1) and consumer.position(consumer.assignment()))
    wait_until(lambda: consumer.get_watermark_offsets(TopicPartition("t", 0), cached=True)[1] == 0)
    broker.kill()
    broker.start()
    broker.produce("t", [str(number) for number in range(5)])
    values: list[bytes | None] = []

    def has_all() -> bool:
        values.extend(one.value() for one in consumer.consume(10, 0.1) if not one.error())
        return len(values) >= 5

    wait_until(has_all)
    assert values == [b"0", b"1", b"2", b"3", b"4"]
    consumer.close()


def test_what_a_kill_leaves_of_topics_half_made_or_half_deleted(broker: RunningBroker) -> None:
    broker.create_topic("whole")
    broker.kill()
    for number, content in enumerate((None, "", '{"id": "')):
        folder = broker.data / "unfinished" / f"left-{number}" / "0"
        folder.mkdir(parents=True)
        if content is not None:
            (folder.parent / "topic.json").write_text(content)
    broker.start()
    assert broker.admin.list_topics(timeout=10).topics.keys() == {"whole"}
    broker.create_topic("left-0")
    broker.stop()
    assert list((broker.data / "unfinished").iterdir()) == []


def test_a_topic_that_lost_its_description_stops_the_start(broker: RunningBroker) -> None:
    broker.create_topic("t")
    broker.stop()
    path = broker.data / "topics" / "t" / "topic.json"
    path.unlink()
    refusal = broker.refusal()
    assert str(path) in refusal
    assert "move the folder away" in refusal
    path.parent.rename(broker.data / "t.away")
    broker.start()
    assert not broker.admin.list_topics(timeout=10).topics
