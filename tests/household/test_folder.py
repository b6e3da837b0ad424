import os
import socket
import stat
from pathlib import Path

import pytest

from grnry.errors import StartError
from grnry.household.folder import DataFolder, Process, Running, start_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data"


def refusal(path: Path) -> str:
    folder = DataFolder(path)
    with pytest.raises(StartError) as refused:
        folder.open()
        folder.secrets()
    folder.close()
    return refused.value.message


def opened(path: Path) -> DataFolder:
    folder = DataFolder(path)
    folder.open()
    return folder


def test_a_folder_has_one_holder(path: Path) -> None:
    first = opened(path)
    assert "runs on the data folder" in refusal(path)
    first.close()
    opened(path).close()


def test_a_newer_layout_is_refused_and_a_start_that_was_killed_at_once_is_not(path: Path) -> None:
    path.mkdir()
    (path / "version").write_text("7\n")
    assert "newer version" in refusal(path)
    (path / "version").write_bytes(b"\xff\xfe")
    assert "may not be a data folder" in refusal(path)
    (path / "version").write_text("")
    opened(path).close()


def test_a_file_a_long_path_and_what_lies_below_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be used: File exists" in refusal(tmp_path / "file")
    assert "cannot be used: Not a directory" in refusal(tmp_path / "file" / "data")
    assert "too long for the sockets" in refusal(tmp_path / ("ö" * 60))


def test_a_folder_with_other_things_in_it_is_left_alone(path: Path) -> None:
    (path / "Documents").mkdir(parents=True)
    said = refusal(path)
    assert "holds other things (Documents)" in said
    assert "--data" in said
    assert [each.name for each in path.iterdir()] == ["Documents"]
    (path / "Documents").rename(path / "lost+found")  # that of a disk of its own
    opened(path).close()


def test_secrets_are_kept_for_their_owner_only(path: Path) -> None:
    folder = opened(path)
    made = folder.secrets()
    assert folder.secrets() == made
    assert stat.S_IMODE((path / "secrets.json").stat().st_mode) == 0o600
    folder.close()
    (path / "secrets.json").write_bytes(b'{"platform')
    assert "secrets.json is damaged" in refusal(path)


def test_ports_are_kept_until_somebody_else_has_them(path: Path) -> None:
    folder = opened(path)
    ports = folder.ports(kafka=0, database=0)
    assert ports.kafka != ports.database
    assert folder.ports() == ports
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports.kafka))
        other.listen()
        moved = folder.ports()
    assert moved.kafka != ports.kafka
    assert moved.database == ports.database
    (path / "ports.json").write_text("{")
    assert folder.ports(kafka=0, database=0).kafka
    folder.close()


def test_a_note_of_a_process_that_is_gone_or_damaged_counts_for_nothing(path: Path) -> None:
    folder = opened(path)
    me = os.getpid()
    started = start_of(me)
    assert started is not None
    processes = (Process("broker", me, started), Process("api", me, started + 1))
    folder.note_running(Running(me, started, "a", "d", "k", processes))
    running = folder.running()
    assert running is not None
    assert running.api == "a"
    assert [process.name for process in folder.leftovers()] == ["broker"]
    folder.note_running(Running(me, started + 1, "a", "d", "k"))
    assert folder.running() is None
    (path / "running.json").write_text("{")
    assert folder.running() is None
    assert folder.leftovers() == []
    folder.close()
