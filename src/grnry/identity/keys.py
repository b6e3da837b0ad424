"""The built-in issuer's signing keys: made once, kept in the database, shared by all processes."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc.jwk import RSAKey

from grnry.database.pool import Database
from grnry.database.transaction import DatabaseAway, Transaction
from grnry.identity import store

BITS = 2048
# A new key is published for this long before it signs, so that all processes know it by then.
PUBLISHED_SECONDS = 60
# A superseded key verifies for longer than the longest token lives.
GRACE_SECONDS = 3600
# How often an unknown key id may cause a look into the database.
REREAD_SECONDS = 5
REFRESH_SECONDS = 30


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as it is shown."""

    kid: str
    created: datetime
    state: str


class SigningKeys:
    """All keys of the issuer, read anew from time to time; a `KeySource`."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, RSAKey] = {}
        self._signs = ""
        self._read_at = float("-inf")

    def key(self, kid: str) -> RSAKey | None:
        try:
            self._read(REFRESH_SECONDS if kid in self._keys else REREAD_SECONDS)
        except DatabaseAway:
            if kid not in self._keys:
                raise
        return self._keys.get(kid)

    def signing_key(self) -> RSAKey:
        """The key that signs now; the first call of all makes it."""
        self._read(REFRESH_SECONDS)
        return self._keys[self._signs]

    def published(self) -> dict[str, "list[dict[str, Any]]"]:
        """The public halves, as a JSON Web Key Set."""
        self._read(REFRESH_SECONDS)
        keys = list(self._keys.values())
        return {"keys": [dict(key.as_dict(private=False)) for key in keys]}

    def rotate(self) -> str:
        """Make a new key; it signs as soon as every process has had time to read it."""
        with self._lock, self._database.transaction() as transaction:
            store.lock_keys(transaction)
            store.drop_superseded_keys(transaction, GRACE_SECONDS)
            kid = _make(transaction)
        self._read(0)
        return kid

    def list(self) -> "list[ListedKey]":
        """All keys with what they are for, the youngest first."""
        with self._database.reading() as reading:
            stored = store.list_keys(reading)
            now = float(reading.value(store.queries.database_time))
        signs = choose_signing(stored, now) if stored else ""
        return [
            ListedKey(
                key.kid,
                datetime.fromtimestamp(key.created, UTC),
                state_of(key, stored, signs, now),
            )
            for key in stored
        ]

    def _read(self, at_most_every: float) -> None:
        with self._lock:
            if self._clock() - self._read_at < at_most_every:
                return
            with self._database.transaction() as transaction:
                stored = store.list_keys(transaction) or _make_first(transaction)
                now = transaction.value(store.queries.database_time)
            alive = [key for key in stored if not is_over(key, stored, float(now))]
            self._keys = {key.kid: self._keys.get(key.kid) or _load(key) for key in alive}
            self._signs = choose_signing(stored, float(now))
            self._read_at = self._clock()


def choose_signing(youngest_first: Sequence[store.StoredKey], now: float) -> str:
    """The youngest that has been published for long enough, else the oldest."""
    known = (key for key in youngest_first if now - key.created >= PUBLISHED_SECONDS)
    return next(known, youngest_first[-1]).kid


def is_over(key: store.StoredKey, all_keys: Iterable[store.StoredKey], now: float) -> bool:
    """Whether a younger key has signed for so long that no token of this one lives."""
    return any(
        other.created > key.created and now - other.created > GRACE_SECONDS for other in all_keys
    )


def state_of(
    key: store.StoredKey, all_keys: Iterable[store.StoredKey], signs: str, now: float
) -> str:
    if key.kid == signs:
        return "signs"
    if is_over(key, all_keys, now):
        return "over"
    return "published, signs soon" if now - key.created < PUBLISHED_SECONDS else "verifies"


def _make_first(transaction: Transaction) -> list[store.StoredKey]:
    """Whichever process holds the lock first makes it; the others find it."""
    store.lock_keys(transaction)
    if not store.list_keys(transaction):
        _make(transaction)
    return store.list_keys(transaction)


def _make(transaction: Transaction) -> str:
    key = RSAKey.generate_key(BITS, private=True)
    kid = key.thumbprint()
    store.add_key(transaction, kid, key.as_pem(private=True).decode())
    return kid


def _load(stored: store.StoredKey) -> RSAKey:
    return RSAKey.import_key(stored.private_pem, {"kid": stored.kid, "use": "sig", "alg": "RS256"})
