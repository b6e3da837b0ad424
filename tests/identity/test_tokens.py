"""Which tokens are believed."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey

from grnry.errors import AuthenticationFailed
from grnry.identity.tokens import (
    REMEMBERED,
    Expected,
    TokenVerifier,
    claimed_issuer,
    verified_claims,
)
from tests.identity.signing import EXPECTED, ISSUER, RSA, FixedKeys, claims, sign

OTHER = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
EC = ECKey.generate_key("P-256", {"kid": "ec"}, private=True)
OKP = OKPKey.generate_key("Ed25519", {"kid": "okp"}, private=True)
KEYS = FixedKeys(RSA, EC, OKP)
NOW = int(time.time())


def verifier(audience: str = "") -> TokenVerifier:
    return TokenVerifier(KEYS, Expected(ISSUER, tuple(audience.split())))


def encoded(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], secret: bytes | None = None) -> str:
    head = f"{encoded(header)}.{encoded(claims())}"
    signature = hmac.digest(secret, head.encode(), hashlib.sha256) if secret else b""
    return f"{head}.{encoded(signature) if signature else ''}"


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (OKP, "Ed25519")]
)
def test_asymmetric_signatures_count(key: RSAKey, algorithm: str) -> None:
    identity = verifier().authenticate(sign(claims(), key, algorithm))
    assert (identity.subject, identity.username, identity.name, identity.email) == (
        "4711",
        "ada",
        "Ada Lovelace",
        "ada@example.org",
    )
    assert identity.roles == {"global": {"viewer", "editor"}}


def test_the_older_name_of_ed25519_counts() -> None:
    with pytest.warns(Warning, match="EdDSA"):
        token = sign(claims(), OKP, "EdDSA")
    assert verifier().authenticate(token).username == "ada"


REFUSED = {
    "empty": "",
    "no token": "abc",
    "dots": "..",
    "no json": "YQ.YQ.YQ",
    "not ascii": "é.é.é",
    "unsigned": by_hand({"alg": "none", "kid": "rsa"}),
    "unsigned, in capitals": by_hand({"alg": "NONE", "kid": "rsa"}),
    "HMAC with the public key": by_hand({"alg": "HS256", "kid": "rsa"}, RSA.as_pem(private=False)),
    "RS256 said, HMAC done": by_hand({"alg": "RS256", "kid": "rsa"}, RSA.as_pem(private=False)),
    "no kid": by_hand({"alg": "RS256"}),
    "kid no text": by_hand({"alg": "RS256", "kid": 5}),
    "unknown kid": sign(claims(), kid="other"),
    "signed by another key": sign(claims(), OTHER),
    "key of another kind": sign(claims(), EC, "ES256", kid="rsa"),
    "weaker algorithm": by_hand({"alg": "RS1", "kid": "rsa"}),
    "critical extension": by_hand({"alg": "RS256", "kid": "rsa", "crit": ["x"], "x": 1}),
    "cut": sign(claims())[:-5],
    "longer": sign(claims()) + "A" * 8,
    "too long": sign(claims(filler="x" * 40_000)),
    "wrong issuer": sign(claims(iss="https://elsewhere.example")),
    "no issuer": sign(claims(iss=None)),
    "expired": sign(claims(exp=NOW - 31)),
    "never expires": sign(claims(exp=None)),
    "expiry no number": sign(claims(exp="tomorrow")),
    "not yet": sign(claims(nbf=NOW + 600)),
    "refresh token": sign(claims(typ="Refresh")),
    "id token": sign(claims(typ="ID")),
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED.keys())
def test_everything_else_is_refused(token: str) -> None:
    with pytest.raises(AuthenticationFailed):
        verifier().authenticate(token)


def test_clocks_may_differ_by_half_a_minute() -> None:
    now = int(time.time())
    verifier().authenticate(sign(claims(exp=now - 20)))
    verifier().authenticate(sign(claims(nbf=now + 20)))


@pytest.mark.parametrize(
    ("given_claims", "believed"),
    [
        ({"azp": "granary", "aud": "account"}, True),
        ({"azp": "x", "aud": "granary"}, True),
        ({"azp": "x", "aud": ["account", "granary"]}, True),
        ({"azp": "x", "aud": ["account"]}, False),
        ({"azp": None, "aud": None}, False),
    ],
)
def test_an_audience_is_checked_where_one_is_expected(
    given_claims: dict[str, Any], believed: bool
) -> None:
    token = sign(claims(**given_claims))
    verifier().authenticate(token)
    if believed:
        verifier("other granary").authenticate(token)
    else:
        with pytest.raises(AuthenticationFailed):
            verifier("granary").authenticate(token)


@pytest.mark.parametrize(
    "access",
    [None, [], "all", {"global": None}, {"global": {"roles": "editor"}}, {"global": {"roles": 5}}],
)
def test_roles_of_another_shape_grant_nothing(access: object) -> None:
    identity = verifier().authenticate(sign(claims(resource_access=access)))
    assert not any(identity.roles.values())


def test_a_token_is_verified_once_and_forgotten_when_it_expires() -> None:
    moment = float(NOW)
    keys = FixedKeys(RSA)
    own = TokenVerifier(keys, EXPECTED, lambda: moment)
    token = sign(claims(exp=NOW + 300))

    assert own.recall(token) is None
    identity = own.authenticate(token)
    assert own.authenticate(token) is identity
    assert own.recall(token) is identity
    assert keys.asked == 1

    moment += 331
    assert own.recall(token) is None
    with pytest.raises(AuthenticationFailed):
        own.authenticate(token)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grnry.identity.tokens.REMEMBERED", 3)
    own = verifier()
    tokens = [sign(claims(jti=str(number))) for number in range(5)]
    for token in tokens:
        own.authenticate(token)
    assert [own.recall(token) is None for token in tokens] == [True, True, False, False, False]
    assert REMEMBERED >= 1000


@given(st.text(max_size=200))
def test_any_text_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(AuthenticationFailed):
        verified_claims(text, KEYS)


@given(st.lists(st.binary(max_size=60), min_size=3, max_size=3))
def test_any_parts_are_refused_and_nothing_worse(parts: list[bytes]) -> None:
    with pytest.raises(AuthenticationFailed):
        verified_claims(".".join(encoded(part) for part in parts), KEYS)


@given(st.integers(0, 2000), st.characters(codec="ascii"))
def test_a_token_that_was_changed_anywhere_is_refused(place: int, other: str) -> None:
    token = sign(claims())
    place %= len(token)
    changed = token[:place] + other + token[place + 1 :]
    last_of_part = place + 1 == len(token) or token[place + 1] == "."
    # The last character of a part has bits that count for nothing.
    if changed != token and not last_of_part:
        with pytest.raises(AuthenticationFailed):
            verifier().authenticate(changed)


@given(st.text(max_size=300))
def test_any_text_names_an_issuer_or_none(text: str) -> None:
    assert isinstance(claimed_issuer(text), str)
    assert claimed_issuer(f"x.{encoded({'iss': text})}.y") == text


@given(st.binary(max_size=60))
def test_any_payload_names_an_issuer_or_none(payload: bytes) -> None:
    assert isinstance(claimed_issuer(f"x.{encoded(payload)}.y"), str)
