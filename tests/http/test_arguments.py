"""By a plan or by the framework: the same arguments, and the same refusals."""

from typing import Annotated, Any
from urllib.parse import urlencode

import pytest
from fastapi import Depends, FastAPI, Header, Path, Query, Request
from fastapi.routing import APIRoute
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from grnry.http.arguments import plan_of
from grnry.http.parameters import Between
from grnry.http.routing import Router
from grnry.identity.access import OPEN

asked: list[str] = []


async def _method(connection: HTTPConnection) -> str:
    asked.append("method")
    return str(connection.scope["method"])


Method = Annotated[str, Depends(_method)]


async def _pair(
    method: Method, first: str = "none", second: Annotated[int, Query(alias="2nd")] = 2
) -> list[Any]:
    return [method, first, second]


def planned(
    request: Request,
    method: Method,
    pair: Annotated[list[Any], Depends(_pair)],
    name: Annotated[str, Path(alias="its_name")],
    number: Annotated[int, Path(), Between(1, 500)],
    needed: Annotated[str, Query(max_length=5)],
    page: str | None = None,
    share: float = 0.5,
    really: bool = False,
    if_match: Annotated[str | None, Header()] = None,
    least: Annotated[int | None, Query(ge=0)] = None,
) -> list[Any]:
    given = [name, number, needed, page, share, really, if_match, least]
    return [request.url.path, method, pair, *given]


def with_a_list(several: Annotated[list[str], Query()]) -> list[str]:
    return several


def with_a_thread(from_thread: Annotated[str, Depends(lambda: "from a thread")]) -> str:
    return from_thread


PATH = "/things/{its_name}/{number}"


@pytest.fixture(scope="module")
def router() -> Router:
    router = Router(permission=OPEN)
    router.get(PATH)(planned)
    router.get("/list")(with_a_list)
    router.get("/thread")(with_a_thread)
    return router


@pytest.fixture(scope="module")
def ours(router: Router) -> TestClient:
    app = FastAPI()
    app.router.routes.extend(router.routes)
    return TestClient(app)


@pytest.fixture(scope="module")
def theirs() -> TestClient:
    app = FastAPI()
    app.get(PATH)(planned)
    return TestClient(app)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
values = st.one_of(texts, st.integers().map(str), st.sampled_from(["", "true", "0", "1.5", "nan"]))
names = st.sampled_from(["needed", "page", "share", "really", "least", "first", "2nd", "other"])
queries = st.lists(st.tuples(names, values), max_size=8)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8)


@settings(max_examples=300, deadline=None)
@given(
    number=st.one_of(st.integers(-1, 600).map(str), st.just("x")),
    query=queries,
    has_needed=st.booleans(),
    tag=st.none() | words,
)
def test_a_plan_finds_what_the_framework_finds(
    ours: TestClient,
    theirs: TestClient,
    number: str,
    query: list[tuple[str, str]],
    has_needed: bool,
    tag: str | None,
) -> None:
    query = [("needed", "it"), *query] if has_needed else query
    path = f"/things/a%20name/{number}?{urlencode(query)}"
    headers = {} if tag is None else {"If-Match": tag}
    mine, other = ours.get(path, headers=headers), theirs.get(path, headers=headers)
    assert (mine.status_code, mine.json()) == (other.status_code, other.json())


def test_what_is_right_is_found_without_the_framework(
    ours: TestClient, monkeypatch: pytest.MonkeyPatch, router: Router
) -> None:
    async def never(*_: Any) -> None:
        raise AssertionError("the framework was asked")

    monkeypatch.setattr(router.routes[0], "_by_framework", never)
    answer = ours.get("/things/a/1?needed=b&2nd=3")
    assert answer.json() == [
        *("/things/a/1", "GET", ["GET", "none", 3]),
        *("a", 1, "b", None, 0.5, False, None, None),
    ]


def test_a_dependency_of_several_is_asked_once(ours: TestClient) -> None:
    asked.clear()
    ours.get("/things/a/1?needed=b")
    assert asked == ["method"]


@pytest.mark.parametrize("endpoint", [with_a_list, with_a_thread])
def test_other_kinds_are_left_to_the_framework(endpoint: Any) -> None:
    assert plan_of(APIRoute("/", endpoint).dependant) is None


def test_the_framework_serves_them(ours: TestClient) -> None:
    assert ours.get("/list?several=a&several=b").json() == ["a", "b"]
    assert ours.get("/thread").json() == "from a thread"
