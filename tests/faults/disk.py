"""A small disk of its own for the database, that can be filled and freed in a moment."""

import subprocess
from pathlib import Path

LARGE_MB = 3072
PAGE = 4096


class NoDiskError(Exception):
    """Why there is none."""


class SmallDisk:
    """A file system in memory, as only that may be made larger and smaller while it is used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        options = f"size={LARGE_MB}m,mode=0700"
        self._run("mount", "-t", "tmpfs", "-o", options, "granary-faults", str(folder))

    def _run(self, *words: str) -> None:
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
        except OSError as error:
            raise NoDiskError(f"{words[0]}: {error}") from error
        if done.returncode:
            raise NoDiskError((done.stderr or done.stdout).strip())

    def _resize(self, size: str) -> None:
        self._run("mount", "-o", f"remount,size={size}", str(self._folder))

    def fill(self) -> int:
        """Nothing more than what is there has room; answers how many megabytes that are."""
        used = self._used()
        for more in (0, 1 << 20, 4 << 20):  # a server at work may take some meanwhile
            try:
                self._resize(str(used + more + PAGE))
            except NoDiskError:
                used = self._used()
            else:
                return used >> 20
        raise NoDiskError("the disk grows faster than it can be filled")

    def _used(self) -> int:
        words = ["df", "--block-size=1", "--output=used", str(self._folder)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
        return int(done.stdout.split()[-1])

    def free(self) -> None:
        self._resize(f"{LARGE_MB}m")

    def close(self) -> None:
        self._run("umount", "--lazy", str(self._folder))
