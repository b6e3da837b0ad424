"""Passwords: how they are kept and compared."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from grnry.errors import TooManyRequests

LONGEST = 1024
# Each comparison takes about 19 MiB and some tens of milliseconds; this many run at once.
AT_ONCE = 2
WAIT_SECONDS = 5


class Passwords:
    """Hashes with argon2id; few at a time, so that a flood of logins takes no memory."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def hash(self, password: str) -> str:
        return self._hasher.hash(password)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one of the few places in which comparisons run."""
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise TooManyRequests("Too many logins at once. Try again.")
        try:
            yield
        finally:
            self._places.release()

    def matches(self, password: str, password_hash: str | None) -> bool:
        """Compare; without a hash it takes as long and fails, so that names cannot be probed."""
        if len(password) > LONGEST:
            return False
        try:
            self._hasher.verify(password_hash or self._nobodys, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe())


def digest(secret: str) -> bytes:
    """How a client's secret is kept: it is random and long, so a slow hash adds nothing."""
    return hashlib.sha256(secret.encode()).digest()


def secret_matches(secret: str, kept: bytes) -> bool:
    return hmac.compare_digest(digest(secret), kept)
