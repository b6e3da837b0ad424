"""What proxies say, and from whom it is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnry.errors import StartError
from grnry.http.forwarding import Hop, believed, hops_of, parse_networks
from grnry.settings import Settings
from tests.http.conftest import make_client
from tests.identity.signing import claims, sign

Headers = dict[str, str]


@pytest.mark.parametrize(
    ("headers", "address", "base"),
    [
        ({}, "192.0.2.7", "http://granary.test"),
        ({"X-Forwarded-For": "198.51.100.1"}, "198.51.100.1", "http://granary.test"),
        (
            {"X-Forwarded-For": "6.6.6.6, 198.51.100.1", "X-Forwarded-Proto": "https"},
            "198.51.100.1", "https://granary.test",
        ),
        (
            {"X-Forwarded-For": "6.6.6.6, 198.51.100.1, 192.0.2.9", "X-Forwarded-Proto": "HTTPS",
             "X-Forwarded-Host": "data.example:8443"},
            "198.51.100.1", "https://data.example:8443",
        ),
        (
            {"Forwarded": 'for="[2001:db8::1]:4711";proto=https;host=data.example',
             "X-Forwarded-For": "6.6.6.6"},
            "2001:db8::1", "https://data.example",
        ),
        (
            {"Forwarded": "for=6.6.6.6;host=evil.example, for=198.51.100.1;host=data.example"},
            "198.51.100.1", "http://data.example",
        ),
        (
            {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "gopher",
             "X-Forwarded-Host": "a/b"},
            "198.51.100.1", "http://granary.test",
        ),
        (
            {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "data.example"},
            "192.0.2.7", "https://data.example",
        ),
        (
            {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https",
             "X-Forwarded-Host": "data.example", "X-Forwarded-Port": "8443",
             "X-Forwarded-Prefix": "/granary/"},
            "198.51.100.1", "https://data.example:8443/granary",
        ),
        (
            {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "[2001:db8::1]",
             "X-Forwarded-Port": "443", "X-Forwarded-Prefix": "//evil.example"},
            "192.0.2.7", "https://[2001:db8::1]",
        ),
        (
            {"X-Forwarded-Host": "data.example:1", "X-Forwarded-Port": "x"},
            "192.0.2.7", "http://data.example:1",
        ),
    ],
)  # fmt: skip
def test_trusted_proxies_are_believed_as_far_as_they_saw(
    headers: Headers, address: str, base: str
) -> None:
    with make_client(Settings(trusted_proxies="192.0.2.0/24")) as client:
        client.headers["Authorization"] = f"Bearer {sign(claims())}"
        seen = client.get("/seen", headers=headers).json()
    assert seen == {"address": address, "base": base}


def test_others_are_not() -> None:
    headers = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https",
               "Forwarded": "for=1.2.3.4;host=evil.example"}  # fmt: skip
    for trusted in ("", "10.0.0.0/8,::1"):
        with make_client(Settings(trusted_proxies=trusted)) as client:
            client.headers["Authorization"] = f"Bearer {sign(claims())}"
            seen = client.get("/seen", headers=headers).json()
        assert seen == {"address": "192.0.2.7", "base": "http://granary.test"}


def test_a_wrong_network_stops_the_start() -> None:
    with pytest.raises(StartError, match="GRNRY_TRUSTED_PROXIES"):
        parse_networks("10.0.0.0/8, somewhere")


@given(st.binary(), st.binary(), st.binary())
def test_any_headers_are_read(forwarded: bytes, addresses: bytes, schemes: bytes) -> None:
    headers = [(b"forwarded", forwarded), (b"x-forwarded-for", addresses),
               (b"x-forwarded-proto", schemes)]  # fmt: skip
    hops = hops_of({"headers": headers})
    assert all(isinstance(hop, Hop) for hop in hops)
    assert not list(believed("1.2.3.4", hops, parse_networks("10.0.0.0/8")))
