"""Logins that are kept between commands: one file, which only its owner can read.

    $XDG_CONFIG_HOME/grnry/logins.json      (~/.config/grnry/logins.json)

One login for each address; commands use the last one made, or the one of GRNRY_URL.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from grnry.cli.failures import CallFailed


class Login(msgspec.Struct, frozen=True):
    """A login at one Granary."""

    url: str
    issuer: str
    token_endpoint: str
    client_id: str
    user: str
    access_token: str
    access_until: float
    refresh_token: str = ""
    revocation_endpoint: str = ""

    def with_answer(self, answer: Mapping[str, Any], now: float) -> "Login":
        """The login with other tokens; an answer without a refresh token means the old one."""
        return msgspec.structs.replace(
            self,
            access_token=str(answer["access_token"]),
            access_until=now + float(answer.get("expires_in", 60)),
            refresh_token=str(answer.get("refresh_token", self.refresh_token)),
        )


class _Kept(msgspec.Struct):
    current: str = ""
    logins: dict[str, Login] = {}


def folder() -> Path:
    given = os.environ.get("XDG_CONFIG_HOME", "")
    # The specification says that a relative one is to be ignored.
    return (Path(given) if given.startswith("/") else Path.home() / ".config") / "grnry"


class Logins:
    """The file of logins."""

    def __init__(self, place: Path | None = None) -> None:
        self._folder = place or folder()
        self._file = self._folder / "logins.json"

    def find(self, url: str = "") -> Login | None:
        """The login at that address, else the current one."""
        kept = self._read()
        return kept.logins.get(url or kept.current)

    def save(self, login: Login, *, current: bool = False) -> None:
        with self.locked():
            kept = self._read()
            kept.logins[login.url] = login
            if current:
                kept.current = login.url
            self._write(kept)

    def remove(self, url: str) -> None:
        with self.locked():
            kept = self._read()
            kept.logins.pop(url, None)
            if kept.current == url:
                kept.current = ""
            self._write(kept)

    @contextmanager
    def locked(self, name: str = "logins.lock") -> Iterator[None]:
        """One command at a time: a refresh token counts once."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CallFailed(
                f"Logins cannot be kept in {self._folder}: {error.strerror}."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read(self) -> _Kept:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except (FileNotFoundError, NotADirectoryError):
            return _Kept()
        except OSError as error:
            raise CallFailed(f"{self._file} cannot be read: {error.strerror}.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CallFailed(
                f"{self._file} is damaged ({error}). Remove it, and log in again."
            ) from error

    def _write(self, kept: _Kept) -> None:
        """Whole or not at all, and never readable by others, not even for a moment."""
        new = self._file.with_suffix(".new")
        try:
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            new.rename(self._file)
        except OSError as error:
            raise CallFailed(f"{self._file} cannot be written: {error.strerror}.") from error
