"""Verification of access tokens: signature, issuer, audience, life time.

Where the keys come from is a port, `KeySource`: the built-in issuer's own, or an OIDC issuer's. A
token once verified is remembered until it expires, so that a request costs a look-up.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from grnry.errors import AuthenticationFailed
from grnry.identity.model import Identity, identity_of_claims

# Asymmetric alone: with HMAC in the list, whoever knows the public key could sign.
ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA", "Ed25519")
LEEWAY_SECONDS = 30
REMEMBERED = 4096
LONGEST = 32 * 1024
# What Keycloak's and our own issuer write into `typ` of a token that is for calling an API.
ACCESS_TYPES = (None, "Bearer")

PublicKey = RSAKey | ECKey | OKPKey
Claims = Mapping[str, Any]

_KEY_TYPES: Mapping[str, type[PublicKey]] = {
    "RS256": RSAKey,
    "PS256": RSAKey,
    "ES256": ECKey,
    "EdDSA": OKPKey,
    "Ed25519": OKPKey,
}


class _Registry(JWSRegistry):
    """The allow-list. `EdDSA` is the older name under which issuers sign with Ed25519."""

    def get_alg(self, name: str) -> JWSAlgModel:
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


_REGISTRY = _Registry(algorithms=list(ALGORITHMS))


class KeySource(Protocol):
    """Whose signatures count."""

    def key(self, kid: str) -> PublicKey | None:
        """The key of that id; may read it from where keys are kept, but not for every call."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say about itself."""

    issuer: str
    audiences: tuple[str, ...] = ()
    """Any of them will do, in `aud` or as `azp`; where there are none, nothing is checked."""


class _Header(msgspec.Struct):
    alg: str
    kid: str


class _Issued(msgspec.Struct):
    iss: str = ""


def check_claims(claims: Claims, expected: Expected, now: float) -> None:
    if claims.get("iss") != expected.issuer:
        raise AuthenticationFailed
    if claims.get("typ") not in ACCESS_TYPES:
        raise AuthenticationFailed
    if not _in_time(claims, now) or not _is_for(claims, expected.audiences):
        raise AuthenticationFailed


def _in_time(claims: Claims, now: float) -> bool:
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(begins, int | float):
        return False
    return begins - LEEWAY_SECONDS <= now < expires + LEEWAY_SECONDS


def _is_for(claims: Claims, audiences: tuple[str, ...]) -> bool:
    given = claims.get("aud")
    named = [*(given if isinstance(given, list) else [given]), claims.get("azp")]
    return not audiences or any(audience in named for audience in audiences)


def verified_claims(token: str, keys: KeySource) -> dict[str, Any]:
    """The claims of a token whose signature is right; says nothing about their meaning."""
    try:
        header = _header(token)
        key = keys.key(header.kid)
        if key is None or not isinstance(key, _KEY_TYPES[header.alg]):
            raise AuthenticationFailed
        payload = jws.deserialize_compact(token, key, registry=_REGISTRY).payload
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (JoseError, ValueError, TypeError, KeyError, msgspec.MsgspecError) as error:
        raise AuthenticationFailed from error


def _header(token: str) -> _Header:
    """Algorithm and key id, before anything is believed; unknown algorithms end here."""
    first, _, rest = token.partition(".")
    if len(token) > LONGEST or not rest.isascii():
        raise AuthenticationFailed
    header = msgspec.json.decode(
        msgspec.json.decode(f'"{_padded(first)}"', type=bytes), type=_Header
    )
    if header.alg not in ALGORITHMS:
        raise AuthenticationFailed
    return header


def claimed_issuer(token: str) -> str:
    """Whom a token says it is from: which keys to try, not yet whether it is true."""
    payload = token.partition(".")[2].partition(".")[0]
    if len(token) > LONGEST or not payload.isascii():
        return ""
    try:
        decoded = msgspec.json.decode(f'"{_padded(payload)}"', type=bytes)
        return msgspec.json.decode(decoded, type=_Issued).iss
    except (ValueError, msgspec.MsgspecError):
        return ""


def _padded(text: str) -> str:
    standard = text.replace("-", "+").replace("_", "/")
    return standard + "=" * (-len(standard) % 4)


class TokenVerifier:
    """Turns tokens into identities."""

    def __init__(
        self, keys: KeySource, expected: Expected, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._expected = expected
        self._clock = clock
        self._known: dict[str, tuple[float, Identity]] = {}
        self._lock = threading.Lock()

    def recall(self, token: str) -> Identity | None:
        """Who it is, if this token was verified before and lives; needs no I/O."""
        known = self._known.get(token)
        return known[1] if known and self._clock() < known[0] else None

    def authenticate(self, token: str) -> Identity:
        """Who it is, or `AuthenticationFailed`; may read keys."""
        if recalled := self.recall(token):
            return recalled
        if claimed_issuer(token) != self._expected.issuer:
            raise AuthenticationFailed  # before anybody is asked for a key
        claims = verified_claims(token, self._keys)
        check_claims(claims, self._expected, self._clock())
        identity = identity_of_claims(claims)
        self._remember(token, float(claims["exp"]) + LEEWAY_SECONDS, identity)
        return identity

    def _remember(self, token: str, until: float, identity: Identity) -> None:
        with self._lock:
            self._known.pop(token, None)
            while len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[token] = (until, identity)
