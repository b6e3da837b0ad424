"""What the command line asks an issuer of tokens: where it is, and for tokens."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from grnry.cli.failures import CallFailed

BUILT_IN = "/auth/realms/grnry"
SECONDS = 60.0
_ISSUER = re.compile(r'(?i)^\s*bearer\s(?:.*,)?\s*issuer="([^"\s]+)"')


class Refused(CallFailed):
    """The issuer answered that it gives no token."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where an issuer is asked for what."""

    issuer: str
    token: str
    revocation: str = ""


def http_client(base: str = "") -> Any:
    """A client for an address elsewhere. Authorities are the system's, or SSL_CERT_FILE's."""
    import httpx2

    return httpx2.Client(base_url=base, timeout=SECONDS, verify=ssl.create_default_context())


def request(client: Any, method: str, url: str, **given: Any) -> Any:
    """An answer of whatever status; that there is none is a sentence."""
    import httpx2

    try:
        return client.request(method, url, **given)
    except httpx2.TransportError as error:
        raise CallFailed(unreachable(str(client.base_url.join(url)), error)) from error
    except UnicodeEncodeError as error:
        raise CallFailed("What is to be sent is not UTF-8.") from error
    except httpx2.InvalidURL as error:
        raise CallFailed(f"'{url}' is no address: {error}") from error


def unreachable(url: str, error: Exception) -> str:
    host = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    reasons = [error]
    while cause := reasons[-1].__cause__ or reasons[-1].__context__:
        reasons.append(cause)  # type: ignore[arg-type]
    for reason in reasons:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {host} is not trusted: {reason.verify_message}. If it is from "
                "an authority of your own, name the authority's PEM file in SSL_CERT_FILE."
            )
        if isinstance(reason, ssl.SSLError):
            return f"{host} does not speak TLS ({reason.reason}). Is the address right?"
    return f"Nothing answers at {host}: {error}"


def issuer_of_challenge(challenge: str) -> str:
    """The issuer that a 401's `WWW-Authenticate` names; none where it is the API itself."""
    found = _ISSUER.search(challenge)
    return found[1] if found else ""


def find_issuer(client: Any, url: str) -> str:
    """Whom the API at that address takes tokens of."""
    answer = request(client, "GET", f"{url}/projects")
    challenge = answer.headers.get("www-authenticate", "")
    if answer.status_code != 401 or not challenge.lower().startswith("bearer"):
        raise CallFailed(f"There is no Granary at {url}: it answers {answer.status_code}.")
    issuer = issuer_of_challenge(challenge) or url + BUILT_IN
    if url.startswith("https:") and not issuer.startswith("https:"):
        raise CallFailed(
            f"The issuer {issuer} is not reached by TLS, so a password would be sent in the open. "
            "If that is meant, name it with --issuer."
        )
    return issuer


def discover(client: Any, issuer: str) -> Endpoints:
    place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    answer = request(client, "GET", place)
    try:
        document = answer.json()
        token, revocation = document["token_endpoint"], document.get("revocation_endpoint", "")
        return Endpoints(issuer, _by_tls(str(token), issuer), _by_tls(str(revocation), issuer))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CallFailed(
            f"{issuer} is no issuer of tokens: {place} answers {answer.status_code} without "
            "saying where tokens are."
        ) from error


def _by_tls(endpoint: str, issuer: str) -> str:
    """An issuer behind a proxy may not know that it is reached by TLS; a password goes by it."""
    host = issuer.removeprefix("https://").partition("/")[0]
    if issuer.startswith("https://") and endpoint.startswith(f"http://{host}/"):
        return "https" + endpoint.removeprefix("http")
    return endpoint


def ask_token(client: Any, endpoint: str, form: Mapping[str, str]) -> dict[str, Any]:
    """The token endpoint's answer, or what it said against it."""
    answer = request(client, "POST", endpoint, data=dict(form))
    try:
        body = answer.json()
    except ValueError:
        body = None
    if answer.is_success and isinstance(body, dict) and "access_token" in body:
        return body
    said = body.get("error_description") or body.get("error") if isinstance(body, dict) else None
    reason = str(said) if said else f"it answers {answer.status_code}"
    wait = answer.headers.get("retry-after")
    again = f" Try again in {wait} s." if wait and "again" not in reason else ""
    if answer.status_code in (400, 401, 403):
        raise Refused(reason)
    raise CallFailed(f"{endpoint} gives no token: {reason}{again}")
