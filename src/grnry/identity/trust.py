"""Whose tokens count: the built-in issuer's, or those of an OIDC issuer elsewhere.

With an OIDC issuer the built-in one logs nobody in. One thing is left of it, and only where
`grnry up` gave it a secret: the command line of the same machine, which needs no login.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from grnry.database.pool import Database
from grnry.errors import StartError
from grnry.http.links import Links
from grnry.http.routing import RawRoute
from grnry.identity import api
from grnry.identity.bootstrap import CLI_CLIENT, bootstrap
from grnry.identity.issuer import Issuer, issuer_url
from grnry.identity.keys import SigningKeys
from grnry.identity.model import Identity
from grnry.identity.oidc import Fetcher, OidcKeys
from grnry.identity.tokens import Expected, TokenVerifier, claimed_issuer
from grnry.settings import Settings


@dataclass(frozen=True, slots=True)
class ByIssuer:
    """Asks the verifier of the issuer that a token names."""

    outside: TokenVerifier
    local_url: str
    local: TokenVerifier

    def recall(self, token: str) -> Identity | None:
        return self.outside.recall(token) or self.local.recall(token)

    def authenticate(self, token: str) -> Identity:
        chosen = self.local if claimed_issuer(token) == self.local_url else self.outside
        return chosen.authenticate(token)


class Trust:
    """Verification of tokens, and the issuer where it is our own."""

    def __init__(self, settings: Settings, database: Database, address: str) -> None:
        self._settings = settings
        self._database = database
        self.keys = SigningKeys(database)
        self.issuer = Issuer(database, self.keys, url=issuer_url(address))
        self.outside = checked_url("GRNRY_OIDC_ISSUER", settings.oidc_issuer)
        self.verifier = self._outside_verifier() if self.outside else self._own_verifier()

    @property
    def has_local_issuer(self) -> bool:
        return not self.outside or bool(self._settings.cli_secret)

    @property
    def challenge(self) -> str:
        """The `WWW-Authenticate` of a 401: with an OIDC issuer it says where tokens come from."""
        return f'Bearer issuer="{self.outside}"' if self.outside else "Bearer"

    def prepare(self) -> None:
        if self.has_local_issuer:
            bootstrap(self._database, self._settings.admin_password, self._settings.cli_secret)
            self.keys.signing_key()

    def routes(self, links: Links) -> list[RawRoute]:
        if not self.outside:
            return api.routes(self.issuer, links)
        local = self.issuer if self.has_local_issuer else None
        return api.elsewhere_routes(self.outside, local, CLI_CLIENT)

    def _own_verifier(self, *audiences: str) -> TokenVerifier:
        return TokenVerifier(self.keys, Expected(self.issuer.url, audiences))

    def _outside_verifier(self) -> TokenVerifier | ByIssuer:
        settings = self._settings
        jwks_url = checked_url("GRNRY_OIDC_JWKS_URL", settings.oidc_jwks_url)
        keys = OidcKeys(self.outside, Fetcher(settings.oidc_ca), jwks_url=jwks_url)
        wanted = (each.strip() for each in settings.oidc_audience.split(","))
        audiences = tuple(each for each in wanted if each)
        outside = TokenVerifier(keys, Expected(self.outside, audiences))
        if not self.has_local_issuer:
            return outside
        # Of its tokens only those count that this machine's command line asked for.
        return ByIssuer(outside, self.issuer.url, self._own_verifier(CLI_CLIENT))


def checked_url(setting: str, url: str) -> str:
    """The address as it is given, or a sentence about what is wrong with it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    plain = url.isascii() and url.isprintable() and not set(url) & set(' "\\')
    if url and not (usable and plain):
        raise StartError(
            f"{setting}: '{url}' is no address of an issuer. "
            "Give one such as https://keycloak.example.org/realms/granary."
        )
    return url
