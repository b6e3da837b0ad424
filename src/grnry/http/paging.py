"""Pages of lists: `pagesize` and `offset`, and the links from page to page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import Request

from grnry.errors import BadInput, Problem
from grnry.http.context import note_problems
from grnry.http.links import Links, href

DEFAULT_SIZE = 20
LARGEST_SIZE = 250
# An offset beyond this is past the end of any list, and beyond what the database counts.
LARGEST_OFFSET = 2**62

_NATURAL = re.compile(r"[0-9]{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    size: int = DEFAULT_SIZE
    offset: int = 0


def natural_number(text: str) -> int | None:
    """A number of ASCII digits; no sign, no white space."""
    return int(text) if _NATURAL.fullmatch(text) else None


def parse_page(pagesize: str | None, offset: str | None, *, whole: bool = False) -> Page:
    """`whole`: whether the offset has to be a whole multiple of the page size."""
    size, size_problem = _parse("pagesize", pagesize, DEFAULT_SIZE, 1, LARGEST_SIZE)
    start, start_problem = _parse("offset", offset, 0, 0, LARGEST_OFFSET)
    problems = [problem for problem in (size_problem, start_problem) if problem]
    if whole and not problems and start % size:
        problems.append(Problem("offset", f"must be a whole multiple of {size} but is '{start}'"))
    if problems:
        raise BadInput(problems)
    return Page(size, start)


def _parse(
    name: str, text: str | None, default: int, least: int, most: int
) -> tuple[int, Problem | None]:
    if text is None or text == "":
        return default, None
    number = natural_number(text)
    if number is None or number < least:
        return default, Problem(name, f"must be a natural number but is '{text}'")
    if number > most:
        return default, Problem(name, f"must be in between {least} and {most} but is '{text}'")
    return number, None


_SIZE = Query(
    alias="pagesize",
    description=f"How many entries a page has, 1 to {LARGEST_SIZE}.",
    json_schema_extra={
        "type": "integer",
        "minimum": 1,
        "maximum": LARGEST_SIZE,
        "default": DEFAULT_SIZE,
    },
)
_OFFSET = Query(
    alias="offset",
    description="How many entries are left out before the page.",
    json_schema_extra={"type": "integer", "minimum": 0, "default": 0},
)
_WHOLE_OFFSET = Query(
    alias="offset",
    description="How many entries are left out before the page: a whole multiple of `pagesize`.",
    json_schema_extra={"type": "integer", "minimum": 0, "default": 0},
)


async def _page(
    pagesize: Annotated[str | None, _SIZE] = None, offset: Annotated[str | None, _OFFSET] = None
) -> Page:
    return _page_or_problems(pagesize, offset, whole=False)


async def _whole_page(
    pagesize: Annotated[str | None, _SIZE] = None,
    offset: Annotated[str | None, _WHOLE_OFFSET] = None,
) -> Page:
    return _page_or_problems(pagesize, offset, whole=True)


def _page_or_problems(pagesize: str | None, offset: str | None, *, whole: bool) -> Page:
    try:
        return parse_page(pagesize, offset, whole=whole)
    except BadInput as error:
        note_problems(error.problems)
        return Page()


AnyPage = Annotated[Page, Depends(_page)]
WholePage = Annotated[Page, Depends(_whole_page)]


def page_links(
    links: Links,
    request: Request,
    page: Page,
    *,
    has_next: bool,
    shown: int | None = None,
    fixed: Mapping[str, str] | None = None,
) -> dict[str, dict[str, str]]:
    """`self`, and `next` and `prev` where there are such pages, with all query parameters.

    `shown`: how many entries the page has, where it may have ended before it was full.
    `fixed`: parameters that the other pages need to be of one list with this one.
    """
    fixed = fixed or {}

    def at(offset: int) -> dict[str, str]:
        others = [
            (name, value)
            for name, value in request.query_params.multi_items()
            if name not in {"offset", "pagesize", *fixed}
        ]
        query = [*others, *fixed.items(), ("offset", str(offset)), ("pagesize", str(page.size))]
        return href(links.to_itself(request, query))

    found = {"self": at(page.offset)}
    if has_next:
        found["next"] = at(page.offset + (page.size if shown is None else shown))
    if page.offset > 0:
        found["prev"] = at(max(0, page.offset - page.size))
    return found
