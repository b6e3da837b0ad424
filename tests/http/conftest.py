"""An app with one operation of every kind that the floor has to serve."""

import logging
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from fastapi import FastAPI, Path, Query, Request, Response
from pydantic import Field
from starlette.testclient import TestClient

from grnry.errors import (
    AlreadyExists,
    BadInput,
    GranaryError,
    InUse,
    NotAccessible,
    NotFound,
    PreconditionFailed,
    ServiceAway,
    TooManyRequests,
)
from grnry.http.app import create_app
from grnry.http.bodies import AnswerBody, RequestBody, note_ignored
from grnry.http.conditions import IfMatch, IfNoneMatch, entity_tag, not_modified, tag_headers
from grnry.http.context import CurrentIdentity, context_of
from grnry.http.links import Links
from grnry.http.paging import AnyPage, WholePage, page_links
from grnry.http.parameters import Between, Export
from grnry.http.routing import Router, raw_route
from grnry.identity.access import SIGNED_IN
from grnry.identity.tokens import TokenVerifier
from grnry.settings import Settings
from tests.identity.signing import EXPECTED, RSA, FixedKeys, claims, sign

LIMIT = 2048

logger = logging.getLogger("tests.http")


class Part(RequestBody):
    name: str = Field(min_length=1)
    weight: int = 1


class ThingBody(RequestBody):
    display_name: str = Field(min_length=1, max_length=20)
    description: str = "none given"
    count: Annotated[int, Between(1, 500)] = 1
    ratio: float = 0.5
    active: bool = False
    kind: Literal["small", "large"] = "small"
    parts: tuple[Part, ...] = Field(default=(), strict=False)
    consumer: str | None = None


class Thing(AnswerBody):
    display_name: str
    description: str
    parts: int


ERRORS: dict[str, GranaryError | Exception] = {
    "bad": BadInput.of("state", "cannot be 'START' while Belt status is 'DEPLOYING'"),
    "forbidden": NotAccessible(),
    "missing": NotFound("Belt with ID '425' not found."),
    "taken": AlreadyExists("Event Type with name 'X' already exists."),
    "used": InUse("Event Type 'x' is in use."),
    "linked": InUse("Cannot delete Event Type 'x'.", {"belts": ["/belts/1", "/belts/2"]}),
    "stale": PreconditionFailed(),
    "busy": TooManyRequests("Too many failed logins.", 7),
    "away": ServiceAway(),
    "internal": GranaryError("select secret from somewhere"),
    "crash": RuntimeError("/etc/passwd: password=hunter2"),
}


def things() -> Router:
    router = Router(prefix="/things", tags=["things"], permission=SIGNED_IN)
    links = Links()

    @router.get("")
    async def list_things(request: Request, page: AnyPage) -> dict[str, object]:
        return {"_links": page_links(links, request, page, has_next=page.offset < 40)}

    @router.get("-whole")
    async def list_whole(page: WholePage, export: Export) -> dict[str, object]:
        return {"offset": page.offset, "size": page.size, "export": export}

    @router.post("")
    def make(body: ThingBody) -> Thing:
        if body.kind == "large":
            note_ignored("kind")
        return Thing(
            display_name=body.display_name, description=body.description, parts=len(body.parts)
        )

    @router.get("/{number}")
    def show(number: Annotated[int, Path(ge=1)], lines: Annotated[int, Query(le=500)] = 1) -> str:
        return str(number + lines)

    @router.post("/{number}:reset")
    def reset(number: int) -> int:
        return number

    @router.delete("/{number}", status_code=204)
    def remove(number: int) -> None:
        return None

    @router.get("/me/self")
    def me(identity: CurrentIdentity) -> dict[str, object]:
        return {"username": identity.username, "author": identity.author}

    @router.get("/errors/{name}")
    def fail(name: str) -> None:
        raise ERRORS[name]

    @router.get("/log/thread")
    def log_in_thread(request: Request) -> None:
        logger.info("seen %s", request.url.path)
        logger.warning("seen %s again", request.url.path)

    @router.get("/log/loop")
    async def log_in_loop(request: Request) -> None:
        logger.info("seen %s", request.url.path)
        logger.warning("seen %s again", request.url.path)

    @router.get("/log/secrets")
    def log_secrets(request: Request) -> None:
        logger.info("seen secrets: %s %s", dict(request.headers), {"password": "hunter2"})

    return router


def tagged() -> Router:
    router = Router(permission=SIGNED_IN)
    tag = entity_tag("thing", 1)

    @router.get("/tagged")
    def show_tagged(known: IfNoneMatch, response: Response) -> Any:
        if known.includes(tag):
            return not_modified(tag)
        response.headers.update(tag_headers(tag))
        return {"name": "thing"}

    @router.put("/tagged", status_code=204)
    def change(expected: IfMatch) -> None:
        expected.check(tag)

    @router.get("/seen")
    def seen(request: Request) -> dict[str, str]:
        assert request.client
        return {"address": request.client.host, "base": Links().base(request)}

    return router


async def swallow(request: Request) -> Response:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    identity = context_of(request).identity
    return Response(f"{size} {identity.username if identity else ''}")


async def explode(request: Request) -> Response:
    raise ERRORS[request.path_params["name"]]


def make_app(settings: Settings) -> FastAPI:
    return create_app(
        settings=settings,
        authenticator=TokenVerifier(FixedKeys(RSA), EXPECTED),
        routers=[things(), tagged()],
        raw_routes=[
            raw_route("/raw", swallow, ["POST"], permission=SIGNED_IN),
            raw_route("/raw/{name}", explode, ["POST"], permission=SIGNED_IN),
        ],
        checks={"database": lambda: None},
    )


def make_client(settings: Settings) -> TestClient:
    return TestClient(make_app(settings), "http://granary.test", client=("192.0.2.7", 1))


@pytest.fixture(scope="session")
def token() -> str:
    return sign(claims())


@pytest.fixture(scope="session")
def anonymous() -> Iterator[TestClient]:
    with make_client(Settings(max_body_bytes=LIMIT)) as client:
        yield client


@pytest.fixture(scope="session")
def client(token: str) -> Iterator[TestClient]:
    with make_client(Settings(max_body_bytes=LIMIT)) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client
