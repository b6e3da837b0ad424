"""Absolute links, and the query strings in them."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.datastructures import URL
from starlette.requests import HTTPConnection

from grnry.http.context import context_of
from grnry.http.forwarding import PATH_PREFIX

Query = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Links:
    """Builds links from the public address, else from the host that the request named."""

    public_url: str = ""

    def base(self, request: HTTPConnection) -> str:
        if self.public_url:
            return self.public_url.rstrip("/")
        url = URL(scope=request.scope)
        return f"{url.scheme}://{url.netloc}{request.scope.get(PATH_PREFIX, '')}"

    def to(self, request: HTTPConnection, path: str, query: Query = ()) -> str:
        """A link to a path that is percent-encoded already where it needs to be."""
        text = urlencode(list(query))
        return f"{self.base(request)}{path}{'?' if text else ''}{text}"

    def to_itself(self, request: HTTPConnection, query: Query | None = None) -> str:
        """A link to the request's own path, with its own query unless another is given."""
        own = request.query_params.multi_items()
        return self.to(request, context_of(request).path, own if query is None else query)


def href(link: str) -> dict[str, str]:
    return {"href": link}
