"""Pages and their links."""

from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from grnry.errors import BadInput
from grnry.http.paging import LARGEST_SIZE, Page, parse_page
from grnry.http.parameters import is_true
from grnry.settings import Settings
from tests.http.conftest import make_client


@pytest.mark.parametrize(
    ("pagesize", "offset", "page"),
    [
        (None, None, Page(20, 0)),
        ("", "", Page(20, 0)),
        ("1", "0", Page(1, 0)),
        ("250", "500", Page(250, 500)),
        ("020", "7", Page(20, 7)),
    ],
)
def test_pages(pagesize: str | None, offset: str | None, page: Page) -> None:
    assert parse_page(pagesize, offset) == page


@pytest.mark.parametrize(
    ("pagesize", "offset", "sentences"),
    [
        ("-1", None, ["Parameter 'pagesize' must be a natural number but is '-1'."]),
        ("0", None, ["Parameter 'pagesize' must be a natural number but is '0'."]),
        ("251", None, ["Parameter 'pagesize' must be in between 1 and 250 but is '251'."]),
        ("null", None, ["Parameter 'pagesize' must be a natural number but is 'null'."]),
        ("1.0", None, ["Parameter 'pagesize' must be a natural number but is '1.0'."]),
        ("²", None, ["Parameter 'pagesize' must be a natural number but is '²'."]),
        ("20", "-5", ["Parameter 'offset' must be a natural number but is '-5'."]),
        ("20", "30", ["Parameter 'offset' must be a whole multiple of 20 but is '30'."]),
        ("9" * 30, "x", [
            f"Parameter 'pagesize' must be a natural number but is '{'9' * 30}'.",
            "Parameter 'offset' must be a natural number but is 'x'.",
        ]),
    ],
)  # fmt: skip
def test_wrong_pages(pagesize: str, offset: str | None, sentences: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        parse_page(pagesize, offset, whole=True)
    assert [problem.sentence for problem in caught.value.problems] == sentences


@given(st.text(), st.text(), st.booleans())
def test_any_text_is_a_page_or_a_sentence(pagesize: str, offset: str, whole: bool) -> None:
    with suppress(BadInput):
        page = parse_page(pagesize, offset, whole=whole)
        assert 1 <= page.size <= LARGEST_SIZE
        assert 0 <= page.offset < 2**63
        assert not whole or page.offset % page.size == 0


@given(st.integers(1, 250), st.integers(0, 10**6))
def test_pages_read_back(size: int, offset: int) -> None:
    assert parse_page(str(size), str(offset)) == Page(size, offset)


def query(link: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(link).query, keep_blank_values=True)


def test_links_have_all_parameters(client: TestClient) -> None:
    links = client.get("/things/?search=a%20b&expand=&offset=20&pagesize=20&expand=x").json()
    links = links["_links"]
    own = {"search": ["a b"], "expand": ["", "x"], "pagesize": ["20"]}
    assert links["self"]["href"].startswith("http://granary.test/things/?")
    assert query(links["self"]["href"]) == own | {"offset": ["20"]}
    assert query(links["next"]["href"]) == own | {"offset": ["40"]}
    assert query(links["prev"]["href"]) == own | {"offset": ["0"]}


def test_the_first_and_the_last_page_have_no_neighbour(client: TestClient) -> None:
    assert set(client.get("/things").json()["_links"]) == {"self", "next"}
    assert set(client.get("/things?offset=40").json()["_links"]) == {"self", "prev"}
    assert query(client.get("/things?offset=40&pagesize=250").json()["_links"]["prev"]["href"])[
        "offset"
    ] == ["0"]


def test_what_callers_say_of_forwarding_is_ignored(client: TestClient) -> None:
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https",
               "Forwarded": "host=evil.example"}  # fmt: skip
    link = client.get("/things", headers=headers).json()["_links"]["self"]["href"]
    assert link.startswith("http://granary.test/things?")


@pytest.mark.parametrize(
    ("text", "truth"),
    [("true", True), ("TRUE", True), ("True ", True), ("false", False), ("1", False), ("", False)],
)
def test_flags(client: TestClient, text: str, truth: bool) -> None:
    assert is_true(text) is truth
    assert client.get("/things-whole", params={"export": text}).json()["export"] is truth


def test_a_client_of_another_app_sees_its_own_settings() -> None:
    with make_client(Settings()) as other:
        assert other.get("/things").status_code == 401
