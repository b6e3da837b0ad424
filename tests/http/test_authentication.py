"""Who is let in, and that it is decided before anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from grnry.http.authentication import OpenPaths, token_of
from grnry.settings import Settings
from tests.http.conftest import make_client
from tests.identity.signing import claims, sign

NOTHING_TOLD = [
    ("GET", "/nowhere"),
    ("GET", "/"),
    ("PUT", "/things"),
    ("OPTIONS", "/things"),
    ("GET", "/things?pagesize=-1"),
    ("GET", "/things/abc"),
    ("POST", "/things"),
    ("GET", "/things/me/self"),
    ("POST", "/raw"),
    ("GET", "/things/errors/crash"),
    ("GET", "/metrics"),
    ("GET", "/health"),
    ("GET", "/docs/x"),
    ("GET", "/openapi.json.x"),
]


@pytest.mark.parametrize(("method", "path"), NOTHING_TOLD)
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer abc", "Basic YWRtaW46YWRtaW4="])
def test_an_anonymous_caller_learns_nothing(
    anonymous: TestClient, method: str, path: str, header: str
) -> None:
    headers = {"Authorization": header} if header else {}
    answer = anonymous.request(method, path, headers=headers, content=b"{" * 5000)
    assert answer.status_code == 401
    assert answer.json()["type"] == "authentication_error"
    assert answer.json()["message"] == "Authentication failed."
    assert answer.json()["details"] == "uri=" + path.partition("?")[0]
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("Authorization", "Bearer "),
        ("Authorization", "bearer   "),
        ("authorization", "BEARER "),
        ("Authentication", "Bearer "),
        ("Authentication", ""),
    ],
)
def test_a_token_may_come_in_either_header(
    anonymous: TestClient, token: str, name: str, prefix: str
) -> None:
    answer = anonymous.get("/things/me/self", headers={name: prefix + token})
    assert answer.json() == {
        "username": "ada",
        "author": {"name": "Ada Lovelace", "email": "ada@example.org"},
    }


def test_a_token_without_its_word_is_none(anonymous: TestClient, token: str) -> None:
    assert anonymous.get("/things/me/self", headers={"Authorization": token}).status_code == 401


def test_a_raw_route_knows_who_calls(client: TestClient) -> None:
    assert client.post("/raw", content=b"12345").text == "5 ada"


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/ready", "/openapi.json", "/docs", "/docs/"]
)
def test_some_paths_are_open(anonymous: TestClient, path: str) -> None:
    assert anonymous.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/health/nowhere", "/health/"])
def test_below_an_open_prefix_a_path_may_be_unknown(anonymous: TestClient, path: str) -> None:
    assert anonymous.get(path).status_code in {401, 404}


def test_metrics_are_open_where_the_settings_say_so() -> None:
    with make_client(Settings(metrics_anonymous=True)) as client:
        assert client.get("/metrics").status_code == 200
        assert client.get("/metrics/x").status_code == 401


@pytest.mark.parametrize(
    "path", ["/segments", "/segments/a/jobs", "/projects/global/segments", "/projects/x/segments/y"]
)
def test_segments_refuse_as_their_clients_know_it(anonymous: TestClient, path: str) -> None:
    missing = anonymous.get(path)
    assert (missing.status_code, missing.content) == (401, b"")
    invalid = anonymous.get(path, headers={"Authorization": "Bearer abc"})
    assert (invalid.status_code, invalid.content) == (403, b"")


def test_a_path_that_only_looks_like_segments_refuses_like_others(anonymous: TestClient) -> None:
    assert anonymous.get("/segmentsx").json()["type"] == "authentication_error"
    assert anonymous.get("/projects/a/b/segments").json()["type"] == "authentication_error"


def test_a_second_use_of_a_token_needs_no_verification(client: TestClient) -> None:
    headers = {"Authorization": "Bearer " + sign(claims(preferred_username="bob"))}
    for _ in range(2):
        assert client.get("/things/me/self", headers=headers).json()["username"] == "bob"


@given(st.text(), st.text())
def test_any_headers_are_read(authorization: str, authentication: str) -> None:
    token = token_of(authorization, authentication)
    assert not any(character.isspace() for character in token)


@given(st.from_regex(r"[A-Za-z0-9._-]{1,50}", fullmatch=True), st.sampled_from([" ", "  ", "\t"]))
def test_a_token_is_found_whole(token: str, space: str) -> None:
    assert token_of(f"Bearer{space}{token}", "") == token
    assert token_of("", f" Bearer{space}{token} ") == token
    assert token_of("", token) == token
    assert token_of(f"Bearer {token}", "another") == token
    assert token_of(token, "") == ""


@given(st.text())
def test_only_what_is_named_is_open(path: str) -> None:
    opened = OpenPaths.of(["/docs", "/health/*"])
    assert (path in opened) == (path == "/docs" or path.startswith("/health/"))
