import os
from pathlib import Path

import pytest

from grnry.deployments import log_files as module
from grnry.deployments.log_files import LONGEST_LINE, LogFolder


@pytest.fixture
def logs(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path / "logs")


def write(logs: LogFolder, text: str | bytes, name: str = "a") -> None:
    file = logs.open(name)
    os.write(file, text if isinstance(text, bytes) else text.encode())
    os.close(file)


def test_nothing_was_written(logs: LogFolder) -> None:
    assert logs.last("a", 500) == []


def test_the_last_lines_over_several_starts(logs: LogFolder) -> None:
    write(logs, "1\n2\n")
    write(logs, "3\n4 has no end")
    assert logs.last("a", 500) == ["1", "2", "3", "4 has no end"]
    assert logs.last("a", 2) == ["3", "4 has no end"]
    assert logs.last("b", 2) == []


@pytest.mark.parametrize("wanted", [1, 499, 500])
def test_many_lines(logs: LogFolder, wanted: int) -> None:
    write(logs, "".join(f"{number} {'x' * 300}\n" for number in range(5000)))
    found = [int(line.split()[0]) for line in logs.last("a", wanted)]
    assert found == [*range(5000 - wanted, 5000)]


def test_a_full_file_is_put_aside_and_read_on(
    logs: LogFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 1000)
    writer = logs.open("a")
    for number in range(1000):
        os.write(writer, f"line {number}\n".encode())
        logs.keep_bounded("a")
    os.close(writer)
    assert [int(line.split()[1]) for line in logs.last("a", 50)] == [*range(950, 1000)]
    sizes = [path.stat().st_size for path in (tmp_path / "logs").iterdir()]
    assert len(sizes) == 2
    assert sum(sizes) < 2200


def test_a_flood_leaves_its_end_only(
    logs: LogFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 1000)
    write(logs, "x" * 100_000 + "\nthe end\n")
    logs.keep_bounded("a")
    assert logs.last("a", 1) == ["the end"]
    assert sum(path.stat().st_size for path in (tmp_path / "logs").iterdir()) == 1000


def test_what_is_no_text_and_what_is_too_long(logs: LogFolder) -> None:
    write(logs, b"\xff\0\n" + b"y" * (LONGEST_LINE + 3) + b"\n")
    broken, long = logs.last("a", 500)
    assert broken == "\ufffd\ufffd"
    assert long == "y" * LONGEST_LINE + "… (3 bytes more)"


def test_logs_go_with_their_deployments(logs: LogFolder, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(logs, "x", name)
        (tmp_path / "logs" / f"{name}.log.1").write_text("x")
    logs.keep_only({"b", "c"})
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["b.log", "b.log.1"]


@pytest.mark.parametrize("name", ["../a", "a/b", ".a"])
def test_a_name_is_no_path(logs: LogFolder, name: str) -> None:
    with pytest.raises(ValueError, match="no name of a deployment"):
        logs.last(name, 1)
