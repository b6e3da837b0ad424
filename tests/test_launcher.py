"""The launcher sets a fresh checkout up: `git clone`, and the first call does the rest."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grnry.database.unprivileged import ids_of_nobody
from tests.conftest import wait_for
from tests.running import ROOT

IN_CI = os.environ.get("CI") == "true"
SECONDS = 240

pytestmark = [
    pytest.mark.timeout(3 * SECONDS),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the repository"),
]


def another_user() -> dict[str, Any]:
    """Whom the checkout is set up as: where we are root and `nobody` has a Python, as `nobody`."""
    if os.geteuid() != 0:
        return {}
    user, group = ids_of_nobody()
    how: dict[str, Any] = {"user": user, "group": group, "extra_groups": [], "cwd": "/"}
    question = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
    with contextlib.suppress(OSError):
        asked = subprocess.run(["/usr/bin/python3", "-c", question], check=False, **how)
        return how if asked.returncode == 0 else {}
    return {}


class Checkout:
    """A clone of this checkout, with the changes that are not committed yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["git", "clone", "--quiet", ROOT, path], check=True)
        for name in ("grnry", "check", "tools", "src", "uv.lock", "pyproject.toml"):
            source, target = ROOT / name, path / name
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy2(source, target)
        self._user = another_user()
        if self._user:
            path.parent.chmod(0o755)
            for each in (path, *path.rglob("*")):
                os.chown(each, self._user["user"], self._user["group"], follow_symlinks=False)

    def command(self) -> dict[str, Any]:
        """How it is called: as a person would who has just cloned it."""
        leave = {"CI", "VIRTUAL_ENV", "GRNRY_DATA"}
        environment = {k: v for k, v in os.environ.items() if k not in leave}
        if self._user:
            environment |= {"PATH": "/usr/bin:/bin", "HOME": str(self.path)}
        return {"cwd": "/", "env": environment, "text": True, **self._user}

    def grnry(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.path / "grnry", *words],
            capture_output=True,
            timeout=SECONDS,
            check=False,
            **self.command(),
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.path / "grnry", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **self.command(),
        )


def is_index_away(said: str) -> bool:
    """Whether it was the package index that did not answer; in CI that is a failure."""
    return not IN_CI and "getting the installer" in said and "setup: this failed" in said


@pytest.fixture(scope="module")
def checkout() -> Iterator[Checkout]:
    """Set up by its first call, which was interrupted before; its path has a space."""
    folder = Path(tempfile.mkdtemp(prefix="grnry-launcher-"))
    made = Checkout(folder / "a check out")
    first = made.start("--version")
    wait_for((made.path / ".uv").exists, seconds=SECONDS, what="it is setting up")
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    second = made.start("--version")
    wait_for(
        lambda: (made.path / ".venv").exists() or second.poll() is not None,
        seconds=SECONDS,
        what="it is half way",
    )
    if second.poll() is None:
        os.killpg(second.pid, signal.SIGKILL)
    said = second.communicate()[0]
    if is_index_away(said):
        pytest.skip("the package index does not answer")
    yield made
    shutil.rmtree(folder)


def test_a_call_after_interrupted_ones_sets_up_while_another_waits(checkout: Checkout) -> None:
    both = [checkout.start("--version") for _ in range(2)]
    said = [process.communicate(timeout=SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert all(text.splitlines()[-1].startswith("grnry ") for text in said)
    # One of them did the work, the other one waited for it.
    assert sum("installing the packages" in text for text in said) == 1, said


def test_the_next_call_does_nothing_but_start(checkout: Checkout) -> None:
    began = time.monotonic()
    done = checkout.grnry("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 5


def test_a_changed_lock_is_noticed(checkout: Checkout) -> None:
    with (checkout.path / "uv.lock").open("a") as lock:
        lock.write("\n# changed\n")
    changed = checkout.grnry("--version")
    assert changed.returncode == 0, changed.stderr
    assert "installing the packages of uv.lock" in changed.stderr
    assert checkout.grnry("--version").stderr == ""


def test_a_lock_that_does_not_fit_is_refused_and_put_right(checkout: Checkout) -> None:
    lock = checkout.path / "uv.lock"
    sound = lock.read_text()
    lock.write_text(sound.replace('name = "msgspec"', 'name = "msgspecs"', 1))
    refused = checkout.grnry("--version")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "setup: this failed with exit code" in refused.stderr
    assert "Traceback" not in refused.stderr
    lock.write_text(sound)
    assert checkout.grnry("--version").returncode == 0


def test_a_checkout_that_was_moved_goes_on(checkout: Checkout) -> None:
    moved = checkout.path.with_name("moved")
    checkout.path.rename(moved)
    try:
        done = subprocess.run(
            [moved / "grnry", "--version"],
            capture_output=True,
            check=False,
            **checkout.command(),
        )
    finally:
        moved.rename(checkout.path)
    assert (done.returncode, done.stdout[:6]) == (0, "grnry ")


def test_a_link_to_the_launcher_finds_its_checkout(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(checkout.path / "grnry")
    done = subprocess.run([tmp_path / "linked", "--version"], capture_output=True, check=False)
    assert done.returncode == 0


def test_it_comes_up_from_there(checkout: Checkout) -> None:
    data = str(checkout.path / "data")
    up = checkout.grnry("up", "--data", data, "--port", "0", "--detach")
    assert up.returncode == 0, up.stderr
    assert "Granary is ready." in up.stdout
    assert checkout.grnry("stop", "--data", data).stdout == "Stopped.\n"


def test_without_a_python_that_it_can_use_it_says_what_it_needs(
    checkout: Checkout, tmp_path: Path
) -> None:
    for tool in ("sh", "cmp", "dirname", "readlink"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    (checkout.path / ".venv").rename(checkout.path / ".venv.aside")
    try:
        done = subprocess.run(
            [checkout.path / "grnry", "--version"],
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        (checkout.path / ".venv.aside").rename(checkout.path / ".venv")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Granary needs Python 3.11 or newer" in done.stderr
    assert done.stderr.count("\n") == 1
