"""Pages of other origins."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from grnry.errors import StartError
from grnry.http.cors import parse_origins
from grnry.settings import Settings
from tests.http.conftest import make_client

APP = "https://app.example"
PREFLIGHT = {
    "Origin": APP,
    "Access-Control-Request-Method": "DELETE",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@pytest.fixture
def opened() -> Iterator[TestClient]:
    with make_client(Settings(cors_origins=f"{APP}, http://localhost:3000/")) as client:
        yield client


def allowed(headers: object) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()  # type: ignore[attr-defined]
        if name.startswith("access-control")
    }


def test_nothing_is_allowed_unless_it_is_configured(anonymous: TestClient) -> None:
    answer = anonymous.options("/things/1", headers=PREFLIGHT)
    assert (answer.status_code, allowed(answer.headers)) == (401, {})
    assert allowed(anonymous.get("/health/live", headers={"Origin": APP}).headers) == {}


@pytest.mark.parametrize("path", ["/things/1", "/nowhere", "/metrics"])
def test_a_preflight_is_answered_before_authentication(opened: TestClient, path: str) -> None:
    answer = opened.options(path, headers=PREFLIGHT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == APP
    assert "DELETE" in answer.headers["access-control-allow-methods"].split(", ")
    names = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "authentication", "content-type", "if-match"} <= set(names)
    assert answer.headers["access-control-max-age"] == "600"
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


def test_answers_may_be_read_by_allowed_pages_errors_too(opened: TestClient, token: str) -> None:
    for headers, status in ((f"Bearer {token}", 200), ("", 401)):
        answer = opened.get("/tagged", headers={"Origin": APP, "Authorization": headers})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == APP
        assert "ETag" in answer.headers["access-control-expose-headers"].split(", ")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.evil"])
def test_others_may_not(opened: TestClient, origin: str) -> None:
    for answer in (
        opened.options("/things/1", headers=PREFLIGHT | {"Origin": origin}),
        opened.get("/health/live", headers={"Origin": origin}),
    ):
        assert allowed(answer.headers) == {}
        assert answer.headers["vary"] == "Origin"


def test_an_options_that_is_no_preflight_is_like_any_method(opened: TestClient, token: str) -> None:
    headers = {"Origin": APP, "Authorization": f"Bearer {token}"}
    answer = opened.options("/things/1", headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD")
    assert opened.options("/things/1", headers={"Origin": APP}).status_code == 401


def test_any_origin_where_that_is_said() -> None:
    with make_client(Settings(cors_origins="*")) as client:
        answer = client.get("/health/live", headers={"Origin": "https://else.example"})
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("text", ["app.example", "https://", "https://a/b", "ftp://a", "null"])
def test_what_is_no_origin_stops_the_start(text: str) -> None:
    with pytest.raises(StartError, match="GRNRY_CORS_ORIGINS"):
        parse_origins(f"{APP},{text}")
