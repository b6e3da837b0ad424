"""What proxies say of the caller, believed only from configured addresses.

Without `GRNRY_TRUSTED_PROXIES` the headers `Forwarded` and `X-Forwarded-*` mean nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from grnry.errors import StartError

Network = IPv4Network | IPv6Network

_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_PORT = re.compile(r"^(\[[^\]]+\]|[^:]+):\d+$")
_PREFIX = re.compile(r"(?:/[\w.~%-]+)+/?", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}

PATH_PREFIX = "grnry.path_prefix"
"""In the scope: what a proxy has taken off the path, for links to begin with."""


@dataclass(frozen=True, slots=True)
class Hop:
    """What one proxy saw: who called it, how, and by which name."""

    address: str = ""
    scheme: str = ""
    host: str = ""
    port: str = ""
    prefix: str = ""

    @property
    def authority(self) -> str:
        """The host by which the caller knows us, with its port where that has to be said."""
        is_bare = self.host and not _PORT.match(self.host)
        if is_bare and self.port.isdecimal() and self.port != _DEFAULT_PORTS.get(self.scheme):
            return f"{self.host}:{self.port}"
        return self.host


def parse_networks(text: str) -> tuple[Network, ...]:
    """`10.0.0.0/8, ::1`: addresses and networks, comma-separated."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tuple(ip_network(part, strict=False) for part in parts)
    except ValueError as error:
        raise StartError(f"GRNRY_TRUSTED_PROXIES: {error}.") from error


def is_trusted(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def hops_of(scope: Scope) -> list[Hop]:
    """From the caller's side to ours; `Forwarded` counts before the older headers."""
    if forwarded := _all(scope, b"forwarded"):
        return [_hop(element) for element in forwarded]
    names = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port",
             b"x-forwarded-prefix")  # fmt: skip
    addresses, *others = (_all(scope, name) for name in names)
    # A proxy may keep the caller's address to itself, and say the rest.
    addresses = addresses or [""] * any(others)
    aligned = (_aligned(values, len(addresses)) for values in others)
    return [
        Hop(_bare_address(address), scheme.lower(), host, port, prefix)
        for address, scheme, host, port, prefix in zip(addresses, *aligned, strict=True)
    ]


def _all(scope: Scope, name: bytes) -> list[str]:
    values = (value.decode("latin-1") for key, value in scope["headers"] if key == name)
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _aligned(values: list[str], length: int) -> list[str]:
    """One for each address; proxies often keep a single value, which is then that of them all."""
    return values if len(values) == length else [values[-1] if values else ""] * length


def _hop(element: str) -> Hop:
    pairs = (part.partition("=") for part in element.split(";"))
    found = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    return Hop(
        _bare_address(found.get("for", "")), found.get("proto", "").lower(), found.get("host", "")
    )


def _bare_address(text: str) -> str:
    """Without the port, and without an IPv6 address's brackets."""
    text = text.strip('"')
    match = _PORT.match(text)
    return (match[1] if match else text).strip("[]")


def believed(peer: str, hops: Sequence[Hop], networks: Sequence[Network]) -> Iterator[Hop]:
    """The hops that trusted proxies report, the nearest first; the last is the caller's own."""
    for hop in reversed(hops):
        if not is_trusted(peer, networks):
            return
        yield hop
        peer = hop.address


class Forwarding:
    """Replaces the caller's address, the scheme and the host by what trusted proxies say."""

    def __init__(self, app: ASGIApp, networks: Sequence[Network]) -> None:
        self._app = app
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("client"):
            scope = self._seen_from_outside(scope)
        await self._app(scope, receive, send)

    def _seen_from_outside(self, scope: Scope) -> Scope:
        client, scheme, host, prefix = scope["client"], scope["scheme"], "", ""
        for hop in believed(client[0], hops_of(scope), self._networks):
            client = (hop.address, 0) if hop.address else client
            scheme = hop.scheme if hop.scheme in _DEFAULT_PORTS else scheme
            host = hop.authority if _HOST.fullmatch(hop.authority) else host
            prefix = hop.prefix if _PREFIX.fullmatch(hop.prefix) else prefix
        headers = scope["headers"]
        if host:
            others = [pair for pair in headers if pair[0] != b"host"]
            headers = [(b"host", host.encode("ascii")), *others]
        return {
            **scope,
            "client": client,
            "scheme": scheme,
            "headers": headers,
            PATH_PREFIX: prefix.rstrip("/"),
        }
