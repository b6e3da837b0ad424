"""What every request and every answer carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from grnry.http.context import trace_of
from grnry.http.edge import IGNORED_BYTES, ignored_header

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("traceparent", "b3", "found"),
    [
        (PARENT, "", TRACE),
        (PARENT.upper(), "", TRACE),
        (f"cc-{TRACE}-00f067aa0ba902b7-01-more", "", TRACE),
        (PARENT, "00000000075bcd15", TRACE),
        ("", "00000000075bcd15", "00000000075bcd15"),
        ("", TRACE, TRACE),
        ("nonsense", "00000000075BCD15", "00000000075bcd15"),
    ],
)
def test_a_trace_goes_on(traceparent: str, b3: str, found: str) -> None:
    assert trace_of(traceparent, b3).trace_id == found


@pytest.mark.parametrize(
    ("single", "b3", "found"),
    [
        (f"{TRACE}-00f067aa0ba902b7-1", "", TRACE),
        ("00000000075bcd15-00f067aa0ba902b7", "", "00000000075bcd15"),
        (f"{TRACE}-00f067aa0ba902b7-d-05e3ac9a4f6e3b90", "00000000075bcd15", TRACE),
        ("0", "00000000075bcd15", "00000000075bcd15"),
        (f"{'0' * 32}-00f067aa0ba902b7", "00000000075bcd15", "00000000075bcd15"),
    ],
)
def test_b3_may_come_as_one_header(single: str, b3: str, found: str) -> None:
    assert trace_of("", b3, single).trace_id == found
    assert trace_of(PARENT, b3, single).trace_id == TRACE


@given(st.text(max_size=80), st.text(max_size=40), st.text(max_size=80))
def test_anything_else_begins_a_new_trace(traceparent: str, b3: str, single: str) -> None:
    trace = trace_of(traceparent, b3, single)
    assert len(trace.trace_id) in {16, 32}
    assert len(trace.span_id) == 16
    assert int(trace.trace_id, 16) > 0


@pytest.mark.parametrize(
    "traceparent",
    ["", "0", f"ff-{TRACE}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01"],
)
def test_a_wrong_traceparent_begins_a_new_trace(traceparent: str) -> None:
    first, second = trace_of(traceparent, "0" * 16), trace_of(traceparent, "")
    assert len({first.trace_id, second.trace_id, TRACE, "0" * 32, "0" * 16}) == 5


@pytest.mark.parametrize("path", ["/things", "/nowhere", "/things/errors/crash", "/docs"])
def test_every_answer_has_the_headers(client: TestClient, path: str) -> None:
    headers = client.get(path, headers={"X-Request-Id": "abc-1"}).headers
    assert headers["x-request-id"] == "abc-1"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers.get_list("content-security-policy", split_commas=False)[0].startswith(
        "default-src 'none'"
    )
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 201, "\x7f"])
def test_a_strange_request_id_is_not_echoed(client: TestClient, request_id: str) -> None:
    headers = client.get("/things", headers={"X-Request-Id": request_id}).headers
    assert "x-request-id" not in headers


@pytest.mark.parametrize("path", ["/things", "/things/", "/things-whole/", "/things/5/"])
def test_a_trailing_slash_is_accepted(client: TestClient, path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == 200


def test_two_slashes_are_another_path(client: TestClient) -> None:
    assert client.get("/things//").status_code == 404


@pytest.mark.parametrize(("path", "status"), [("/things/5", 200), ("/nowhere", 404)])
def test_head_is_a_get_without_a_body(client: TestClient, path: str, status: int) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (status, b"")
    assert int(answer.headers["content-length"]) > 0


def test_unknown_fields_are_tolerated_and_named(client: TestClient) -> None:
    body = {
        "displayName": "a",
        "author": "ada",
        "räder": 4,
        "_links": {},
        "parts": [{"name": "b"}, {"name": "c", "colour": "red"}],
    }
    answer = client.post("/things", json=body)
    assert answer.json() == {"displayName": "a", "description": "none given", "parts": 2}
    assert answer.headers["x-ignored-fields"] == "author,r%C3%A4der,parts[1].colour"


def test_a_handler_may_name_more(client: TestClient) -> None:
    answer = client.post("/things", json={"displayName": "a", "kind": "large", "typo": 1})
    assert answer.headers["x-ignored-fields"] == "typo,kind"


def test_nothing_is_named_where_all_is_known(client: TestClient) -> None:
    assert "x-ignored-fields" not in client.post("/things", json={"displayName": "a"}).headers


@pytest.mark.parametrize("empty", [{"description": ""}, {"count": ""}, {"consumer": ""}])
def test_an_empty_string_means_the_default(client: TestClient, empty: dict[str, str]) -> None:
    answer = client.post("/things", json={"displayName": "a"} | empty)
    assert answer.json()["description"] == "none given"


@pytest.mark.parametrize("content_type", ["application/json", "application/merge-patch+json", None])
def test_json_may_be_called_by_its_names(client: TestClient, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = client.post("/things", content=b'{"displayName": "a"}', headers=headers)
    assert answer.status_code == 200


@given(st.lists(st.text(), max_size=300))
def test_names_fit_into_a_header(names: list[str]) -> None:
    value = ignored_header(names)
    assert len(value) <= IGNORED_BYTES
    assert value.isascii()
    assert value.isprintable()
