"""`grnry doctor`, with Granary running, stopped, and damaged."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from grnry.database.inspection import Facts
from grnry.household.doctor import database, machine
from grnry.household.doctor.finding import Finding
from tests.conftest import wait_for
from tests.running import Granary

ON_KAFKA = os.environ.get("GRNRY_TEST_BROKER") == "kafka"


@pytest.fixture
def free(granary: Granary) -> str:
    """A port for the API that is to be started; the default may be somebody's here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def examined(granary: Granary, *words: str) -> tuple[int, dict[tuple[str, str], Finding]]:
    done = granary.grnry("doctor", "--json", *words)
    report = json.loads(done.stdout)
    found = [Finding(**finding) for finding in report["findings"]]
    return done.returncode, {(finding.part, finding.what): finding for finding in found}


def verdicts(found: dict[tuple[str, str], Finding]) -> dict[str, str]:
    """What is not well but the machine, which is as it is."""
    return {
        f"{part}: {what}": finding.verdict
        for (part, what), finding in found.items()
        if part != "machine" and finding.verdict != "ok"
    }


def test_a_running_one_is_looked_at_in_all_its_parts(granary: Granary) -> None:
    code, found = examined(granary)
    assert code == 0, [finding for finding in found.values() if finding.verdict != "ok"]
    parts = {"machine", "folder", "processes", "database", "log", "ports"}
    assert {part for part, _ in found} == parts
    assert "PostgreSQL 18" in found["database", "server"].said
    assert found["database", "schema"].verdict == "ok"
    assert found["processes", "api's word"].said == "database ready, log ready"


def test_one_that_was_never_started_is_well(granary: Granary, tmp_path: Path, free: str) -> None:
    where = str(tmp_path / "nothing" / "yet")
    code, found = examined(granary, "--data", where, "--port", free)
    assert (code, verdicts(found)) == (0, {}), found
    assert not Path(where).exists()


@pytest.mark.skipif(ON_KAFKA, reason="whose processes are not Granary's")
def test_a_process_that_stands_still_is_found(granary: Granary) -> None:
    broker = granary.pid("broker")
    os.kill(broker, signal.SIGSTOP)
    try:
        code, found = examined(granary)
    finally:
        os.kill(broker, signal.SIGCONT)
    assert code == 1
    assert found["log", "broker"].verdict == "problem"
    assert "grnry logs broker" in found["log", "broker"].todo
    wait_for(lambda: granary.grnry("doctor").returncode == 0, what="it is well again")


def test_what_is_wrong_with_a_stopped_one(stopped: Granary, free: str) -> None:
    stopped.start()
    stopped.do("event-type", "create", "calls", "--correlation-id", "payload.user")
    for _ in range(2):
        stopped.do("send", "calls", '{"user": "a"}')
    stopped.stop()
    assert examined(stopped, "--port", free)[0] == 0
    data = stopped.data
    data.chmod(0o777)
    (data / "secrets.json").chmod(0o644)
    (data / "version").write_text("99\n")
    damage(data / "log")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, found = examined(stopped, "--port", port)
    assert code == 1
    assert verdicts(found) == {
        "folder: mode": "problem",
        "folder: secrets": "problem",
        "folder: layout": "problem",
        "log: files": "problem",
        "ports: api": "problem",
    }
    assert all(f.todo for f in found.values() if f.verdict != "ok")
    shown = stopped.grnry("doctor", "--port", free)
    assert shown.returncode == 1
    assert "chmod 600" in shown.stdout
    assert "4 problems." in shown.stdout


def damage(log: Path) -> None:
    """Turn one byte in the first of two batches; one in the last would be a write cut short."""
    segment = next(path for path in log.rglob("*.log") if path.stat().st_size > 100)
    content = bytearray(segment.read_bytes())
    content[len(content) // 4] ^= 0xFF
    segment.write_bytes(bytes(content))


def test_a_machine_that_is_too_small_is_told() -> None:
    assert [machine.memory(mb).verdict for mb in (100, 500, 4000)] == ["problem", "warning", "ok"]
    assert [machine.disk(mb, 512).verdict for mb in (511, 600, 9000)] == [
        "problem",
        "warning",
        "ok",
    ]
    assert [machine.open_files(n).verdict for n in (256, 1024, 65536, -1)] == [
        "problem",
        "warning",
        "ok",
        "ok",
    ]


def test_a_database_of_another_version_without_its_roles_is_told() -> None:
    facts = Facts("13.2", 13, 99, 100, False, 9999, frozenset())
    looks = (database.server, database.connections, database.durability)
    found = [look(facts).verdict for look in (*looks, database.schema, database.roles)]
    assert found == ["problem", "warning", "problem", "problem", "problem"]
