"""ETag, If-None-Match and If-Match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from grnry.http.conditions import Tags, entity_tag

TAG = entity_tag("thing", 1)


@pytest.mark.parametrize(
    ("header", "status"),
    [(None, 200), (TAG, 304), (f"W/{TAG}", 304), (f'"x", {TAG}', 304), ("*", 304), ('"x"', 200),
     ("", 200), ("nonsense", 200)],
)  # fmt: skip
def test_a_get_that_brings_nothing_new(client: TestClient, header: str | None, status: int) -> None:
    headers = {"If-None-Match": header} if header is not None else {}
    answer = client.get("/tagged", headers=headers)
    assert answer.status_code == status
    assert answer.headers["etag"] == TAG
    assert answer.headers["cache-control"] == "private, no-cache"
    assert bool(answer.content) == (status == 200)


@pytest.mark.parametrize(
    ("header", "status"),
    [(None, 204), (TAG, 204), ("*", 204), (f'"x",{TAG}', 204), ('"x"', 412), ("", 412)],
)
def test_a_change_of_what_is_stale(client: TestClient, header: str | None, status: int) -> None:
    headers = {"If-Match": header} if header is not None else {}
    answer = client.put("/tagged", headers=headers)
    assert answer.status_code == status
    if status == 412:
        assert answer.json()["type"] == "precondition_failed"


@given(st.lists(st.text()), st.lists(st.text()))
def test_tags_differ_where_their_parts_do(one: list[str], two: list[str]) -> None:
    same = "\0".join(one) == "\0".join(two)
    assert (entity_tag(*one) == entity_tag(*two)) or not same
    assert entity_tag(*one) in Tags.of(f'"a", {entity_tag(*one)} , W/"b"')


@given(st.text())
def test_any_header_is_read(header: str) -> None:
    assert TAG not in Tags.of(header.replace("*", ""))
