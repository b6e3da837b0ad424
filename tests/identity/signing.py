"""Keys and tokens as an issuer elsewhere would make them."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from grnry.identity.tokens import ALGORITHMS, Expected, PublicKey

ISSUER = "https://issuer.example/auth/realms/grnry"
EXPECTED = Expected(ISSUER)
RSA = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)


class FixedKeys:
    """A key source that knows its keys from the start."""

    def __init__(self, *keys: PublicKey) -> None:
        self._keys = {str(key.kid): key for key in keys}
        self.asked = 0

    def key(self, kid: str) -> PublicKey | None:
        self.asked += 1
        return self._keys.get(kid)


def claims(**others: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {
        "iss": ISSUER,
        "sub": "4711",
        # Some are made when tests are collected, and have to be good when the last of them runs.
        "exp": now + 86_400,
        "iat": now,
        "typ": "Bearer",
        "azp": "grnry",
        "preferred_username": "ada",
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "resource_access": {"global": {"roles": ["viewer", "editor"]}},
    }
    return {name: value for name, value in (base | others).items() if value is not None}


def sign(
    payload: Mapping[str, Any],
    key: RSAKey | ECKey | OKPKey = RSA,
    algorithm: str = "RS256",
    kid: str | None = None,
) -> str:
    header = {"alg": algorithm, "kid": kid or str(key.kid)}
    registry = jws.JWSRegistry(algorithms=list(ALGORITHMS))
    return jws.serialize_compact(header, msgspec.json.encode(payload), key, registry=registry)
