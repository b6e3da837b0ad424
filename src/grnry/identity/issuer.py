"""The built-in issuer: turns passwords, client secrets and refresh tokens into access tokens."""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc import jws

from grnry.database.pool import Database
from grnry.errors import AuthenticationFailed, GranaryError
from grnry.identity import sessions, store
from grnry.identity.keys import SigningKeys
from grnry.identity.model import Roles
from grnry.identity.passwords import Passwords, secret_matches
from grnry.identity.sessions import REFRESH_SECONDS, Session, Use
from grnry.identity.slowdown import Slowdown
from grnry.identity.tokens import verified_claims

logger = logging.getLogger("grnry.identity")

REALM = "grnry"
ACCESS_SECONDS = 300
SCOPE = "email profile"
GRANTS = ("password", "client_credentials", "refresh_token")


def issuer_url(address: str) -> str:
    """The issuer's name, from the address at which users reach the API."""
    return f"{address.rstrip('/')}/auth/realms/{REALM}"


class Refused(GranaryError):  # noqa: N818
    """The issuer grants no token; code and description are those of OAuth."""

    def __init__(self, status: int, code: str, description: str) -> None:
        self.status = status
        self.code = code
        super().__init__(description)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a client sends to the token endpoint, and from where."""

    grant_type: str = ""
    client_id: str = ""
    client_secret: str = ""
    username: str = ""
    password: str = ""
    refresh_token: str = ""
    address: str = ""

    @classmethod
    def of_form(cls, form: Mapping[str, str], address: str) -> "TokenRequest":
        names = ("grant_type", "client_id", "client_secret", "username", "password")
        given = {name: form.get(name, "") for name in (*names, "refresh_token")}
        return cls(**given, address=address)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a token is made for."""

    user: store.User
    roles: Roles
    session: Session | None = None
    """With one, a refresh token is given as well."""


class RefreshClaims(msgspec.Struct):
    """What a refresh token says."""

    iss: str
    typ: str
    sub: str
    azp: str
    sid: str
    generation: int
    exp: float
    issued: float


def access_claims(subject: Subject, client_id: str) -> dict[str, Any]:
    """Claims in Keycloak's shape."""
    user = subject.user
    claims: dict[str, Any] = {
        "sub": user.id,
        "typ": "Bearer",
        "azp": client_id,
        "aud": sorted(client for client in subject.roles if client != client_id),
        "scope": SCOPE,
        "resource_access": {
            client: {"roles": sorted(roles)} for client, roles in subject.roles.items()
        },
        "preferred_username": user.username,
        "name": user.name,
    }
    return claims | ({"email": user.email, "email_verified": True} if user.email else {})


class Issuer:
    """The issuer of one realm. It knows no HTTP."""

    def __init__(
        self,
        database: Database,
        keys: SigningKeys,
        *,
        url: str,
        clock: Callable[[], float] = time.time,
        slowdown: Slowdown | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        self.url = url
        self.keys = keys
        self._database = database
        self._clock = clock
        self._slowdown = slowdown or Slowdown()
        self._passwords = passwords or Passwords()

    def grant(self, request: TokenRequest) -> dict[str, Any]:
        """The token endpoint's answer, or `Refused`."""
        if not request.grant_type:
            raise Refused(400, "invalid_request", "Missing form parameter: grant_type")
        if request.grant_type not in GRANTS:
            raise Refused(400, "unsupported_grant_type", "Unsupported grant_type")
        client = self._client(request)
        if request.grant_type == "password":
            return self._answer(self._log_in(client, request), client)
        if request.grant_type == "refresh_token":
            return self._answer(self._refresh(client, request), client)
        return self._answer(self._act(client), client)

    def revoke(self, request: TokenRequest) -> None:
        """End the session of a refresh token. A token that is none any more is no error."""
        client = self._client(request)
        try:
            claims = self._refresh_claims(request.refresh_token, client)
        except Refused:
            return
        with self._database.transaction() as transaction:
            sessions.end(transaction, claims.sid)

    def _client(self, request: TokenRequest) -> store.Client:
        with self._database.reading() as reading:
            client = store.find_client(reading, request.client_id)
        if client is None:
            raise _invalid_client("invalid_client")
        if client.secret_sha256 is not None and not secret_matches(
            request.client_secret, client.secret_sha256
        ):
            raise _invalid_client("unauthorized_client")
        return client

    def _log_in(self, client: store.Client, request: TokenRequest) -> Subject:
        if not client.password_logins:
            raise Refused(400, "unauthorized_client", "Client not allowed for direct access grants")
        if not request.username:
            raise Refused(401, "invalid_request", "Missing parameter: username")
        user = self._check_password(request)
        if not user.enabled:
            raise Refused(400, "invalid_grant", "Account disabled")
        with self._database.transaction() as transaction:
            if not user.claimed:
                store.claim_user(transaction, user.id)
            session = sessions.begin(transaction, user.id, client.client_id, self._clock())
            return Subject(user, store.roles_of(transaction, user.id), session)

    def _check_password(self, request: TokenRequest) -> store.User:
        with self._database.reading() as reading:
            user = store.find_user(reading, request.username)
        with self._passwords.turn():
            self._slowdown.check(request.username, request.address)
            if not self._passwords.matches(request.password, user.password_hash if user else None):
                self._slowdown.failed(request.username, request.address)
                raise Refused(401, "invalid_grant", "Invalid user credentials")
        self._slowdown.succeeded(request.username, request.address)
        assert user is not None
        return user

    def _refresh(self, client: store.Client, request: TokenRequest) -> Subject:
        if not request.refresh_token:
            raise Refused(400, "invalid_request", "No refresh token")
        claims = self._refresh_claims(request.refresh_token, client)
        with self._database.transaction() as transaction:
            user = store.get_user(transaction, claims.sub)
            if user is None or not user.enabled:
                raise Refused(400, "invalid_grant", "User disabled")
            if claims.issued < user.sessions_since:
                raise Refused(400, "invalid_grant", "Session not active")
            given = Session(claims.sid, claims.generation)
            use, session = sessions.take(transaction, given, self._clock())
            subject = Subject(user, store.roles_of(transaction, user.id), session)
        # Told after the transaction, which would take back the end of the session.
        if use is Use.REUSED:
            logger.warning(
                "A refresh token of '%s' came a second time: the session is over.", user.username
            )
            raise Refused(400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
        if use is Use.UNKNOWN:
            raise Refused(400, "invalid_grant", "Session not active")
        return subject

    def _refresh_claims(self, token: str, client: store.Client) -> RefreshClaims:
        try:
            claims = msgspec.convert(verified_claims(token, self.keys), RefreshClaims)
        except (AuthenticationFailed, msgspec.ValidationError) as error:
            raise Refused(400, "invalid_grant", "Invalid refresh token") from error
        if claims.typ != "Refresh" or claims.iss != self.url:
            raise Refused(400, "invalid_grant", "Invalid refresh token")
        if claims.exp <= self._clock():
            raise Refused(400, "invalid_grant", "Token is not active")
        if claims.azp != client.client_id:
            raise Refused(
                400,
                "invalid_grant",
                "Invalid refresh token. Token client and authorized client don't match",
            )
        return claims

    def _act(self, client: store.Client) -> Subject:
        if client.is_public:
            raise Refused(
                401, "unauthorized_client", "Public client not allowed to retrieve service account"
            )
        if client.acts_as is None:
            raise Refused(
                401, "unauthorized_client", "Client not enabled to retrieve service account"
            )
        with self._database.reading() as reading:
            user = store.get_user(reading, client.acts_as)
            if user is None or not user.enabled:
                raise Refused(401, "invalid_grant", "Account disabled")
            return Subject(user, store.roles_of(reading, user.id))

    def _answer(self, subject: Subject, client: store.Client) -> dict[str, Any]:
        session = subject.session
        answer = {
            "access_token": self._sign(access_claims(subject, client.client_id), ACCESS_SECONDS),
            "expires_in": ACCESS_SECONDS,
            "refresh_expires_in": REFRESH_SECONDS if session else 0,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": SCOPE,
        }
        if session:
            claims = {
                "sub": subject.user.id,
                "typ": "Refresh",
                "azp": client.client_id,
                "sid": session.id,
                "generation": session.generation,
            }
            answer["refresh_token"] = self._sign(claims, REFRESH_SECONDS)
            answer["session_state"] = session.id
        return answer

    def _sign(self, claims: Mapping[str, Any], seconds: int) -> str:
        now = self._clock()
        stamped = {
            "exp": int(now) + seconds,
            "iat": int(now),
            "issued": now,
            "jti": secrets.token_hex(16),
            "iss": self.url,
            **claims,
        }
        key = self.keys.signing_key()
        header = {"alg": "RS256", "typ": "JWT", "kid": key.kid}
        return jws.serialize_compact(header, msgspec.json.encode(stamped), key)


def _invalid_client(code: str) -> Refused:
    return Refused(401, code, "Invalid client or Invalid client credentials")
