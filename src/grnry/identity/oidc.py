"""The keys of an OIDC issuer such as Keycloak, from its JSON Web Key Set."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from grnry.errors import ServiceAway
from grnry.identity.tokens import PublicKey

logger = logging.getLogger("grnry.identity")

# How often an unknown key id may cause a request to the issuer: whoever sends made-up ids must
# not be able to make us flood it.
REREAD_SECONDS = 10
# How long keys are believed before they are read again, so that a withdrawn one ends.
REFRESH_SECONDS = 600
TIMEOUT_SECONDS = 3
LARGEST = 1024 * 1024

KINDS: dict[str, type[PublicKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}

Fetch = Callable[[str], bytes]


class IssuerAway(ServiceAway):
    """The issuer of tokens does not answer at the moment. Try again."""


def fetch(url: str) -> bytes:
    """Read a document of the issuer."""
    import httpx2

    try:
        with httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
            answer = client.get(url)
            answer.raise_for_status()
            return answer.content[:LARGEST]
    except httpx2.HTTPError as error:
        raise IssuerAway from error


class OidcKeys:
    """A `KeySource` that asks the issuer, and remembers."""

    def __init__(
        self, issuer: str, fetch: Fetch = fetch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, PublicKey] = {}
        self._asked_at = float("-inf")
        self._read_at = float("-inf")

    def key(self, kid: str) -> PublicKey | None:
        if kid not in self._keys or self._clock() - self._read_at >= REFRESH_SECONDS:
            self._read(kid)
        return self._keys.get(kid)

    def _read(self, kid: str) -> None:
        """One thread asks; the others wait and find what it read."""
        with self._lock:
            if self._clock() - self._asked_at < REREAD_SECONDS:
                return
            self._asked_at = self._clock()
            try:
                self._keys = self._ask()
            except (ServiceAway, msgspec.MsgspecError, KeyError, TypeError) as error:
                logger.warning("The keys of %s cannot be read: %s", self._issuer, error)
                if kid not in self._keys:
                    raise IssuerAway from error
                return
            self._read_at = self._clock()

    def _ask(self) -> dict[str, PublicKey]:
        place = f"{self._issuer}/.well-known/openid-configuration"
        document = msgspec.json.decode(self._fetch(place), type=dict[str, Any])
        found = msgspec.json.decode(self._fetch(str(document["jwks_uri"])), type=dict[str, Any])
        keys = (_usable(entry) for entry in found["keys"])
        return {str(key.kid): key for key in keys if key is not None}


def _usable(entry: dict[str, Any]) -> PublicKey | None:
    """A key that signs; issuers publish keys for encryption and of new kinds as well."""
    kind = KINDS.get(entry.get("kty", ""))
    if kind is None or entry.get("use", "sig") != "sig" or not entry.get("kid"):
        return None
    try:
        return kind.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
