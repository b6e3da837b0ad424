"""Log files: kept small while they are written to, read merged, followed across the cut."""

import json
import os
from pathlib import Path
from typing import TextIO

import pytest

from grnry.household.log_entries import Entry, Follower, entries_of, last_entries, merged
from grnry.household.log_files import keep_bounded, log_files
from grnry.logs import LogFile, put_aside


def line(second: int, message: str, process: str = "api") -> str:
    return f"2026-01-01 00:00:{second:02d}.000  INFO [{process},,,] 1 --- [main] a.b : {message}\n"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "deployments").mkdir()
    return tmp_path


def appending(path: Path) -> TextIO:
    return path.open("a", buffering=1)


def numbers(entries: list[Entry]) -> list[int]:
    return [int(entry.text.rpartition(" ")[2]) for entry in entries]


def test_a_follower_reads_each_line_once_however_often_the_file_is_cut(logs: Path) -> None:
    file = LogFile(logs / "api.log")
    with appending(file.path) as writer:
        follower = Follower(file)
        read: list[int] = []
        for number in range(1000):
            writer.write(line(number % 60, str(number)))
            if number % 7 == 0:
                read += numbers(follower.read())
            if number % 50 == 49:
                put_aside(file)
                writer.write(line(0, str(1_000_000 + number)))
                read += numbers(follower.read())
        read += numbers(follower.read())
    assert [number for number in read if number < 1_000_000] == list(range(1000))
    assert len(read) == 1020


def test_a_line_that_is_not_finished_is_waited_for(logs: Path) -> None:
    file = LogFile(logs / "api.log")
    with file.path.open("a") as writer:
        writer.write(line(1, "0") + line(2, "1")[:30])
        writer.flush()
        follower = Follower(file)
        assert follower.read() == []
        writer.write(line(2, "1")[30:])
        writer.flush()
        assert numbers(follower.read()) == [1]


def test_a_full_file_is_put_aside_and_its_writer_goes_on(logs: Path) -> None:
    file = LogFile(logs / "broker.log")
    with appending(file.path) as writer:
        writer.write("x" * 2000 + "\n")
        keep_bounded(logs, total_bytes=10**6, file_bytes=1000)
        assert file.path.stat().st_size == 0
        writer.write("after\n")
    assert file.path.read_text() == "after\n"
    assert file.aside.read_text() == "x" * 2000 + "\n"
    assert [each.name for each in log_files(logs)] == ["broker"]


def test_files_of_deployments_are_left_to_who_writes_them(logs: Path) -> None:
    file = LogFile(logs / "deployments" / "persister-a.b.log")
    file.path.write_text("x" * 2000)
    keep_bounded(logs, total_bytes=10**6, file_bytes=1000)
    assert file.path.stat().st_size == 2000
    assert [each.name for each in log_files(logs)] == ["persister-a.b"]


def test_the_total_is_kept_and_the_oldest_go_first(logs: Path) -> None:
    for age, name in enumerate(["new", "middle", "old"]):
        for suffix in (".log", ".log.1"):
            path = logs / "deployments" / f"{name}{suffix}"
            path.write_bytes(b"x" * 1000)
            os.utime(path, (10**9 - age, 10**9 - age))
    keep_bounded(logs, total_bytes=4500, file_bytes=10**6)
    left = {path.name: path.stat().st_size for path in (logs / "deployments").iterdir()}
    assert left == {"new.log": 1000, "new.log.1": 1000, "middle.log": 1000, "old.log": 1000}
    keep_bounded(logs, total_bytes=1500, file_bytes=10**6)
    assert sum(path.stat().st_size for path in (logs / "deployments").iterdir()) == 1000
    assert (logs / "deployments" / "new.log").stat().st_size == 1000


def test_the_last_entries_are_found_across_both_files(logs: Path) -> None:
    file = LogFile(logs / "api.log")
    with appending(file.path) as writer:
        for number in range(3000):
            writer.write(line(number % 60, str(number)))
        put_aside(file)
        for number in range(3000, 3010):
            writer.write(line(number % 60, str(number)))
    assert numbers(last_entries(file, 5)) == [*range(3005, 3010)]
    assert numbers(last_entries(file, 2000)) == [*range(1010, 3010)]
    assert numbers(last_entries(file, None)) == [*range(3010)]
    assert last_entries(file, 0) == []


def test_processes_are_merged_by_time_and_a_stack_trace_stays_with_its_line(logs: Path) -> None:
    (logs / "api.log").write_text(
        line(1, "one") + "Traceback:\n  deep\n" + line(4, "four") + line(3, "a clock set back")
    )
    (logs / "postgres.log").write_text(
        "2026-01-01 00:00:02.000 UTC [9] FATAL:  two\n2026-01-01 00:00:05.000 UTC [9] LOG:  five\n"
    )
    shown = [(entry.process, entry.text.split(" : ")[-1][-9:]) for entry in merged_all(logs)]
    assert [process for process, _ in shown] == ["api", "postgres", "api", "api", "postgres"]
    first, second, *_ = merged_all(logs)
    assert first.as_json()["message"] == "one\nTraceback:\n  deep"
    assert second.as_json() == {
        "time": "2026-01-01T00:00:02.000Z",
        "process": "postgres",
        "level": "ERROR",
        "message": "two",
    }


def merged_all(logs: Path) -> list[Entry]:
    return merged(log_files(logs), None)


def test_lines_that_are_json_are_read_as_such() -> None:
    whole = {"timestamp": "2026-01-01T00:00:01.000Z", "level": "WARNING", "message": "m"}
    text = json.dumps(whole) + "\n" + '{"timestamp": "broken' + "\nno time at all\n"
    first, second = entries_of("api", text.encode())
    assert first.as_json()["message"] == "m"
    assert first.as_json()["level"] == "WARNING"
    assert second.time == first.time
    assert second.text.endswith("no time at all")
    assert entries_of("api", b"\xff\xfe only\n")[0].time == ""
