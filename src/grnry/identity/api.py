"""The built-in issuer over HTTP, on Keycloak's paths and with Keycloak's errors."""

import base64
import binascii
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from grnry.errors import TooManyRequests
from grnry.http.links import Links
from grnry.http.routing import RawRoute, raw_route
from grnry.http.threads import run_in_thread
from grnry.identity.access import OPEN
from grnry.identity.contract import CERTIFICATES, DISCOVERY, LOGOUT, REVOCATION, TOKEN
from grnry.identity.issuer import GRANTS, REALM, Issuer, Refused, TokenRequest
from grnry.identity.logins import LoginQueue

BASE = "/auth/realms/{realm}"
TOKEN_PATH = "protocol/openid-connect/token"  # noqa: S105 - a path
OPEN_PATHS = ("/auth/realms/*",)
REFRESH = "refresh_token"
LONGEST_FORM = 64 * 1024
_FORM = "application/x-www-form-urlencoded"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def oauth_error(
    status: int, code: str, description: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    body = {"error": code} | ({"error_description": description} if description else {})
    return JSONResponse(body, status, {**_NO_STORE, **(headers or {})})


def basic_credentials(authorization: str) -> dict[str, str]:
    """Client id and secret of an `Authorization: Basic` header."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return {}
    name, _, secret = decoded.partition(":")
    return {"client_id": unquote_plus(name), "client_secret": unquote_plus(secret)}


async def read_form(request: Request) -> dict[str, str] | None:
    """The fields of a form; none where it is too long, no form, or names a field twice."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return None
    form = dict(pairs)
    unusable = len(form) < len(pairs) or any("\0" in value for value in form.values())
    return None if unusable else form


async def read_request(request: Request, refresh_field: str = REFRESH) -> TokenRequest | None:
    """What is asked; the refresh token is in the field of that name."""
    form = await read_form(request)
    if form is None:
        return None
    form[REFRESH] = form.get(refresh_field, "")
    form |= basic_credentials(request.headers.get("authorization", ""))
    return TokenRequest.of_form(form, request.client.host if request.client else "")


async def granted(issuer: Issuer, asked: TokenRequest) -> Response:
    try:
        answer = await run_in_thread(issuer.grant, asked)
    except Refused as error:
        return oauth_error(error.status, error.code, error.message)
    except TooManyRequests as error:
        return too_many(error)
    return JSONResponse(answer, headers=_NO_STORE)


def too_many(error: TooManyRequests) -> Response:
    wait = {"Retry-After": str(error.retry_after)}
    return oauth_error(429, "temporarily_unavailable", error.message, wait)


def routes(issuer: Issuer, links: Links) -> list[RawRoute]:
    """The issuer's endpoints, which are open without a token (`OPEN_PATHS`)."""
    calls = _Calls(issuer, links)
    protocol = f"{BASE}/protocol/openid-connect"
    return [
        raw_route(f"{protocol}/token", calls.token, ["POST"], TOKEN, permission=OPEN),
        raw_route(f"{protocol}/revoke", calls.revoke, ["POST"], REVOCATION, permission=OPEN),
        raw_route(f"{protocol}/logout", calls.log_out, ["POST"], LOGOUT, permission=OPEN),
        raw_route(f"{protocol}/certs", calls.certificates, ["GET"], CERTIFICATES, permission=OPEN),
        raw_route(
            f"{BASE}/.well-known/openid-configuration",
            calls.discovery,
            ["GET"],
            DISCOVERY,
            permission=OPEN,
        ),
    ]


def elsewhere_routes(outside: str, issuer: Issuer | None, client_id: str) -> list[RawRoute]:
    """What is left where tokens come from an issuer elsewhere: an answer that says so.

    The command line of this machine, whose client has that id, gets its token still.
    """
    calls = _CallsElsewhere(outside, issuer, client_id)
    return [raw_route(f"{BASE}/{{path:path}}", calls.answer, ["GET", "POST"], permission=OPEN)]


class _CallsElsewhere:
    def __init__(self, outside: str, issuer: Issuer | None, client_id: str) -> None:
        self._told = f"Tokens come from {outside} here. Log in there."
        self._issuer = issuer
        self._client_id = client_id

    async def answer(self, request: Request) -> Response:
        if (request.method, request.path_params["path"]) != ("POST", TOKEN_PATH):
            return oauth_error(404, "invalid_request", self._told)
        asked = await read_request(request)
        if (
            asked is None
            or self._issuer is None
            or (asked.grant_type, asked.client_id) != ("client_credentials", self._client_id)
            or not from_this_machine(request)
        ):
            return oauth_error(400, "unauthorized_client", self._told)
        return await granted(self._issuer, asked)


def from_this_machine(request: Request) -> bool:
    """Whether the caller's address is a loopback one, or the one that it reached us at."""
    address = request.client.host if request.client else ""
    server = request.scope.get("server") or ("",)
    try:
        return ip_address(address).is_loopback or address == server[0]
    except ValueError:
        return False


class _Calls:
    def __init__(self, issuer: Issuer, links: Links) -> None:
        self._issuer = issuer
        self._links = links
        self._logins = LoginQueue()

    async def token(self, request: Request) -> Response:
        if unknown := _unknown_realm(request):
            return unknown
        asked = await read_request(request)
        if asked is None:
            return oauth_error(400, "invalid_request", "Missing form parameter: grant_type")
        if asked.grant_type != "password":
            return await granted(self._issuer, asked)
        try:
            async with self._logins.turn():
                return await granted(self._issuer, asked)
        except TooManyRequests as error:
            return too_many(error)

    async def revoke(self, request: Request) -> Response:
        """RFC 7009: the token is in the field `token`."""
        return await self._end_session(request, "token", 200)

    async def log_out(self, request: Request) -> Response:
        """Keycloak's own way: the token is in the field `refresh_token`."""
        return await self._end_session(request, REFRESH, 204)

    async def _end_session(self, request: Request, field: str, status: int) -> Response:
        if unknown := _unknown_realm(request):
            return unknown
        asked = await read_request(request, field)
        if asked is None or not asked.refresh_token:
            return oauth_error(400, "invalid_request", f"Missing form parameter: {field}")
        try:
            await run_in_thread(self._issuer.revoke, asked)
        except Refused as error:
            return oauth_error(error.status, error.code, error.message)
        return Response(status_code=status, headers=_NO_STORE)

    async def certificates(self, request: Request) -> Response:
        if unknown := _unknown_realm(request):
            return unknown
        keys = await run_in_thread(self._issuer.keys.published)
        return JSONResponse(keys)

    async def discovery(self, request: Request) -> Response:
        if unknown := _unknown_realm(request):
            return unknown
        base = self._links.to(request, BASE.format(realm=REALM))
        return JSONResponse(discovery_document(self._issuer.url, base))


def _unknown_realm(request: Request) -> Response | None:
    known = request.path_params["realm"] == REALM
    return None if known else oauth_error(404, "Realm does not exist")


def discovery_document(issuer: str, base: str) -> dict[str, Any]:
    protocol = f"{base}/protocol/openid-connect"
    return {
        "issuer": issuer,
        "token_endpoint": f"{protocol}/token",
        "jwks_uri": f"{protocol}/certs",
        "revocation_endpoint": f"{protocol}/revoke",
        "end_session_endpoint": f"{protocol}/logout",
        "grant_types_supported": list(GRANTS),
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }
