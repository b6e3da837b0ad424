"""The keys of an OIDC issuer such as Keycloak, from its JSON Web Key Set.

They are read when the first token needs one, so that an issuer which is away keeps nothing from
starting. A request whose key is known never waits for the issuer.
"""

import logging
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from grnry.errors import ServiceAway, StartError
from grnry.identity.tokens import PublicKey

logger = logging.getLogger("grnry.identity")

# How often an unknown key id may cause a request to the issuer: whoever sends made-up ids must
# not be able to make us flood it. A few looks are saved up, so that a new key counts at once.
REREAD_SECONDS = 10
AT_ONCE = 5
# How soon an issuer is asked again that did not answer.
RETRY_SECONDS = 1
# How long keys are believed before they are read again, so that a withdrawn one ends.
REFRESH_SECONDS = 600
TIMEOUT_SECONDS = 3
# How many requests may wait for an issuer; it may hang, and their threads are everybody's.
MOST_WAITING = 8
LARGEST = 1024 * 1024

KINDS: dict[str, type[PublicKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class _Discovery(msgspec.Struct):
    issuer: str
    jwks_uri: str


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


Fetch = Callable[[str], bytes]


class IssuerAway(ServiceAway):
    """The issuer of tokens does not answer at the moment. Try again."""


class Fetcher:
    """Reads documents of the issuer."""

    def __init__(self, ca_file: str = "") -> None:
        try:
            # Not httpx's own list of authorities: the machine's, which its operator looks after.
            self._tls = ssl.create_default_context(cafile=ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise StartError(
                f"GRNRY_OIDC_CA: the file '{ca_file}' holds no certificates that can be read: "
                f"{error}."
            ) from error

    def __call__(self, url: str) -> bytes:
        import httpx2

        body = b""
        try:
            with (
                httpx2.Client(timeout=TIMEOUT_SECONDS, verify=self._tls) as client,
                client.stream("GET", url) as answer,
            ):
                answer.raise_for_status()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > LARGEST:
                        raise IssuerAway(f"{url} answers more than {LARGEST} bytes.")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise IssuerAway(f"{url}: {error}") from error
        return body


class Allowance:
    """Looks that may be taken: one in each period, and as many as were saved up."""

    def __init__(self, most: int, period: float) -> None:
        self._most = most
        self._period = period
        self._left = float(most)
        self._counted_at = float("-inf")

    def take(self, now: float) -> bool:
        self._left = min(self._most, self._left + (now - self._counted_at) / self._period)
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class OidcKeys:
    """A `KeySource` that asks the issuer, and remembers."""

    def __init__(
        self,
        issuer: str,
        fetch: Fetch | None = None,
        *,
        jwks_url: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch or Fetcher()
        self._jwks_url = jwks_url
        self._clock = clock
        self._reading = threading.Lock()
        self._places = threading.BoundedSemaphore(MOST_WAITING)
        self._keys: dict[str, PublicKey] = {}
        self._looks = Allowance(AT_ONCE, REREAD_SECONDS)
        self._retry_at = float("-inf")
        self._read_at = float("-inf")
        self._trouble = ""

    def key(self, kid: str) -> PublicKey | None:
        known = self._keys.get(kid)
        if known is None:
            return self._find(kid)
        if self._clock() - self._read_at >= REFRESH_SECONDS:
            self._refresh()
        return self._keys.get(kid)

    def _find(self, kid: str) -> PublicKey | None:
        """One request asks the issuer; those that wait find what it read."""
        if not self._places.acquire(blocking=False):
            raise IssuerAway
        try:
            with self._reading:
                if kid not in self._keys and self._may_look():
                    self._read()
        finally:
            self._places.release()
        if kid not in self._keys and self._trouble:
            raise IssuerAway
        return self._keys.get(kid)

    def _may_look(self) -> bool:
        now = self._clock()
        # What failed says nothing about the key, so it takes no look away.
        return now >= self._retry_at if self._trouble else self._looks.take(now)

    def _refresh(self) -> None:
        """Read in the background; until then what is known is believed."""
        if self._clock() < self._retry_at or not self._reading.acquire(blocking=False):
            return

        def read() -> None:
            try:
                self._read()
            finally:
                self._reading.release()

        threading.Thread(target=read, name="issuer-keys", daemon=True).start()

    def _read(self) -> None:
        try:
            self._keys = self._ask()
        except (ServiceAway, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._note(f"{error.message if isinstance(error, ServiceAway) else error}")
            self._retry_at = self._clock() + RETRY_SECONDS
            return
        self._note("")
        self._read_at = self._clock()

    def _note(self, trouble: str) -> None:
        """Say it when the issuer goes, and when it is back; not at each request between."""
        if trouble and trouble != self._trouble:
            logger.warning("The keys of %s cannot be read: %s", self._issuer, trouble)
        if self._trouble and not trouble:
            logger.info("The keys of %s can be read again.", self._issuer)
        self._trouble = trouble

    def _ask(self) -> dict[str, PublicKey]:
        place = self._jwks_url or self._discover()
        found = msgspec.json.decode(self._fetch(place), type=_KeySet)
        keys = (_usable(entry) for entry in found.keys)
        return {str(key.kid): key for key in keys if key is not None}

    def _discover(self) -> str:
        """Where the issuer's discovery document says that its keys are."""
        place = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        document = msgspec.json.decode(self._fetch(place), type=_Discovery)
        if document.issuer != self._issuer:
            # Its tokens say the other name as well, so that each of them would be refused.
            raise IssuerAway(
                f"it calls itself '{document.issuer}'. Set GRNRY_OIDC_ISSUER to that, and "
                "GRNRY_OIDC_JWKS_URL if its keys are reached at another address."
            )
        return document.jwks_uri


def _usable(entry: dict[str, Any]) -> PublicKey | None:
    """A key that signs; issuers publish keys for encryption and of new kinds as well."""
    kind = KINDS.get(entry.get("kty", ""))
    if kind is None or entry.get("use", "sig") != "sig" or not entry.get("kid"):
        return None
    if entry.get("alg") == "EdDSA":  # the older name of what is verified under the newer one
        entry = {**entry, "alg": "Ed25519"}
    try:
        return kind.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
