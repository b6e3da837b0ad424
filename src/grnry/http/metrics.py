"""Prometheus metrics: requests by route and status, how long they take, and the process's own."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"


def new_registry() -> CollectorRegistry:
    """A registry of one process; who has more to tell adds collectors to it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class RequestMetrics:
    """Counts and times requests, by the route's template: never by what a caller may vary."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "grnry_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "grnry_http_request_duration_seconds",
            "How long requests take.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            self._count(scope, status, time.perf_counter() - began)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path", UNMATCHED)
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


METRICS: dict[str, Any] = {
    "tags": ["health"],
    "summary": "Metrics",
    "description": "Metrics of this process, in the text format of Prometheus.",
    "responses": {
        "200": {
            "description": "The metrics.",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": "grnry_http_requests_in_flight 1.0\n",
                }
            },
        }
    },
}


def metrics_page(registry: CollectorRegistry) -> Callable[[Request], Awaitable[Response]]:
    """The answer of `/metrics`."""

    async def page(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return page
