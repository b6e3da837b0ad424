"""The built-in issuer over HTTP, on Keycloak's paths and with Keycloak's errors."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from grnry.errors import TooManyRequests
from grnry.http.links import Links
from grnry.http.routing import RawRoute, raw_route
from grnry.identity.access import OPEN
from grnry.identity.issuer import GRANTS, REALM, Issuer, Refused, TokenRequest

BASE = "/auth/realms/{realm}"
OPEN_PATHS = ("/auth/realms/*",)
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


def routes(issuer: Issuer, links: Links) -> list[RawRoute]:
    """The issuer's endpoints, which are open without a token (`OPEN_PATHS`)."""
    calls = _Calls(issuer, links)
    protocol = f"{BASE}/protocol/openid-connect"
    return [
        raw_route(f"{protocol}/token", calls.token, ["POST"], permission=OPEN),
        raw_route(f"{protocol}/certs", calls.certificates, ["GET"], permission=OPEN),
        raw_route(
            f"{BASE}/.well-known/openid-configuration", calls.discovery, ["GET"], permission=OPEN
        ),
    ]


class _Calls:
    def __init__(self, issuer: Issuer, links: Links) -> None:
        self._issuer = issuer
        self._links = links

    async def token(self, request: Request) -> Response:
        if unknown := _unknown_realm(request):
            return unknown
        form = await read_form(request)
        if form is None:
            return oauth_error(400, "invalid_request", "Missing form parameter: grant_type")
        form |= basic_credentials(request.headers.get("authorization", ""))
        address = request.client.host if request.client else ""
        asked = TokenRequest.of_form(form, address)
        try:
            answer = await run_in_threadpool(self._issuer.grant, asked)
        except Refused as error:
            return oauth_error(error.status, error.code, error.message)
        except TooManyRequests as error:
            wait = {"Retry-After": str(error.retry_after)}
            return oauth_error(429, "temporarily_unavailable", error.message, wait)
        return JSONResponse(answer, headers=_NO_STORE)

    async def certificates(self, request: Request) -> Response:
        if unknown := _unknown_realm(request):
            return unknown
        keys = await run_in_threadpool(self._issuer.keys.published)
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
        "grant_types_supported": list(GRANTS),
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }
