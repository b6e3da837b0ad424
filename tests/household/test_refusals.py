"""What keeps `grnry up` from starting is one sentence with what to do, and exit code 1."""

import ctypes
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from grnry.database.unprivileged import CLONE_NEWUSER, ids_of_nobody
from tests.running import COMMAND, ROOT, Granary, every_process

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
USER, GROUP = ids_of_nobody()


def as_nobody() -> dict[str, Any] | None:
    """How to start the command as another user, where one can read its Python and the checkout."""
    if os.geteuid() != 0:
        return None
    how: dict[str, Any] = {"user": USER, "group": GROUP, "extra_groups": [], "cwd": "/"}
    packages = [str(ROOT / "src"), sysconfig.get_path("purelib")]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(packages), "HOME": "/"}
        try:
            looked = subprocess.run(
                [python, "-m", "grnry", "--version"],
                env=environment,
                capture_output=True,
                check=False,
                **how,
            )
        except PermissionError:
            continue
        if looked.returncode == 0:
            return {**how, "command": [python, "-m", "grnry"], "environment": environment}
    return None


NOBODY = as_nobody() or {}
AS_NOBODY = pytest.mark.skipif(
    not NOBODY, reason="needs root, and a Python and a checkout that 'nobody' can read"
)


def grnry(
    *words: str,
    command: Sequence[str] = COMMAND,
    environment: Mapping[str, str] | None = None,
    **how: Any,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *words],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **how,
    )


def refusal(data: Path, **how: Any) -> str:
    done = grnry("up", "--data", str(data), "--port", "0", **how)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert every_process(data) == {}
    return done.stderr


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, as those of pytest are not."""
    made = Path(tempfile.mkdtemp(prefix="grnry-refusals-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_too_little_disk(folder: Path) -> None:
    said = refusal(folder / "data", environment={"GRNRY_MIN_FREE_MB": "1000000000"})
    assert "Less than 1000000000 MB are free" in said
    assert "GRNRY_MIN_FREE_MB" in said


def test_a_folder_of_a_newer_version(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "version").write_text("99\n")
    assert "is of a newer version of Granary (layout 99" in refusal(folder / "data")


def test_a_database_of_a_newer_version(stopped: Granary) -> None:
    stopped.start()
    with stopped.platform() as connection:
        connection.execute("insert into grnry.migrations (number, name) values (9999, 'later')")
    stopped.stop()
    assert "newer version of Granary (it has migration 9999)" in refusal(stopped.data)


def test_a_second_one_on_the_folder_is_told_where_the_first_is(granary: Granary) -> None:
    done = grnry("up", "--data", str(granary.data), "--port", "0")
    assert done.returncode == 1
    assert f"already at {granary.said['api']} (process {granary.process.pid})" in done.stderr
    assert "grnry stop" in done.stderr
    assert granary.do("event-type", "list")


@AS_NOBODY
def test_a_folder_that_is_not_writable(folder: Path) -> None:
    said = refusal(folder / "data", **NOBODY)
    assert "cannot be used: Permission denied" in said
    assert "--data" in said


@AS_NOBODY
def test_the_folder_of_another_user(folder: Path) -> None:
    (folder / "data").mkdir(mode=0o700)
    for command in (["up", "--port", "0"], ["stop"], ["status"], ["logs"], ["sql", "select 1"]):
        done = grnry(*command, "--data", str(folder / "data"), **NOBODY)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr


@AS_NOBODY
def test_it_runs_as_a_user_who_is_not_root(folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    os.chown(data, USER, GROUP)
    here = ["--data", str(data)]
    started = grnry("up", *here, "--port", "0", "--detach", **NOBODY)
    try:
        assert started.returncode == 0, started.stderr
        doctor = grnry("doctor", *here, **NOBODY)
        assert doctor.returncode == 0, doctor.stdout
        assert f"number {USER}, not root" in doctor.stdout
    finally:
        stopping = grnry("stop", *here, **NOBODY)
    assert stopping.returncode == 0
    assert every_process(data) == {}


def enter_namespace_of_all(ready: int, mapped: int) -> None:
    """Enter a namespace with all users of this one, in which no further one may be made."""
    assert ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) == 0
    os.write(ready, b"1")
    assert os.read(mapped, 1) == b"1"
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


@AS_ROOT
def test_a_home_that_others_cannot_enter_where_namespaces_are_not_allowed() -> None:
    """PostgreSQL would have to run as `nobody`, who does not come through to its folder."""
    home = Path(tempfile.mkdtemp(prefix="grnry-home-"))
    assert home.stat().st_mode & 0o077 == 0
    reading, ready = os.pipe()
    waiting, mapped = os.pipe()
    words = [*COMMAND, "up", "--data", str(home / "data"), "--port", "0"]
    child = os.fork()
    if child == 0:
        try:
            enter_namespace_of_all(ready, waiting)
            output = os.open(home / "said", os.O_WRONLY | os.O_CREAT)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.execv(words[0], words)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(99)
    assert os.read(reading, 1) == b"1"
    for kind in ("uid_map", "gid_map"):
        Path(f"/proc/{child}/{kind}").write_text("0 0 65536")
    os.write(mapped, b"1")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for end in (reading, ready, waiting, mapped):
        os.close(end)
    said = (home / "said").read_text()
    shutil.rmtree(home)
    assert code == 1, said
    assert "nor can the user 'nobody' enter" in said
    assert "Run Granary as a user who is not root" in said
    assert said.count("\n") == 1


def shell(command: str) -> subprocess.CompletedProcess[str]:
    program = " ".join(COMMAND)
    return subprocess.run(
        ["bash", "-c", command.replace("GRNRY", program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", ["--help", "up --help", "--version", "", "broker check --help"])
def test_output_that_goes_nowhere(words: str) -> None:
    full = shell(f"GRNRY {words} >/dev/full")
    assert full.returncode == 1, full
    assert full.stderr == "The output cannot be written: no space is left.\n"
    gone = shell(f"(sleep 0.5; GRNRY {words}; echo $? >&2) | true")
    assert gone.stderr in ("1\n", "0\n"), gone.stderr
    closed = shell(f"GRNRY {words} >&-")
    assert "Traceback" not in closed.stderr
    assert shell(f"GRNRY {words} >/dev/full 2>/dev/full").returncode == 1
