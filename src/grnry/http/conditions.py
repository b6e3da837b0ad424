"""Entity tags: a GET that brings nothing new is a 304, a change of what is stale is a 412."""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header
from starlette.responses import Response

from grnry.errors import PreconditionFailed
from grnry.http.answers import json_answer

_TAG = re.compile(r'(?:W/)?("[^"]*")')
ANY = "*"


def entity_tag(*parts: object) -> str:
    """A tag that changes when any part does: a name and a version, or all that is answered."""
    text = "\0".join(str(part) for part in parts)
    return f'"{hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]}"'


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags that a caller named."""

    named: frozenset[str]

    @classmethod
    def of(cls, header: str) -> "Tags":
        """`*` is any tag. A weak tag counts as its strong one: all of ours are strong."""
        text = header.strip()
        return cls(frozenset((ANY,) if text == ANY else _TAG.findall(text)))

    def __contains__(self, tag: str) -> bool:
        return ANY in self.named or tag in self.named


@dataclass(frozen=True, slots=True)
class Expectation:
    """`If-Match`: what the caller takes the stored thing for."""

    tags: Tags | None

    def check(self, tag: str) -> None:
        """Raise `PreconditionFailed` where the stored thing is another by now."""
        if self.tags is not None and tag not in self.tags:
            raise PreconditionFailed


@dataclass(frozen=True, slots=True)
class Knowledge:
    """`If-None-Match`: what the caller has already."""

    tags: Tags | None

    def includes(self, tag: str) -> bool:
        return self.tags is not None and tag in self.tags

    def answer(self, tag: str, content: Any) -> Any:
        """What is answered under its tag, or a 304 to who knows it."""
        if self.includes(tag):
            return not_modified(tag)
        answer = content if isinstance(content, Response) else json_answer(content)
        answer.headers.update(tag_headers(tag))
        return answer


async def _if_match(
    if_match: Annotated[
        str | None, Header(description="The `ETag` of the version that is to be changed.")
    ] = None,
) -> Expectation:
    return Expectation(None if if_match is None else Tags.of(if_match))


async def _if_none_match(
    if_none_match: Annotated[
        str | None, Header(description="The `ETag` of the version that is known.")
    ] = None,
) -> Knowledge:
    return Knowledge(None if if_none_match is None else Tags.of(if_none_match))


IfMatch = Annotated[Expectation, Depends(_if_match)]
IfNoneMatch = Annotated[Knowledge, Depends(_if_none_match)]


def tag_headers(tag: str) -> dict[str, str]:
    """For an answer that its caller may keep, and has to ask about each time."""
    return {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Authentication",
    }


def not_modified(tag: str) -> Response:
    return Response(status_code=304, headers=tag_headers(tag))
