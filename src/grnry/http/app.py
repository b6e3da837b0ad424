"""Builds the ASGI app: the layers that every request passes, and the operations of the rooms.

From the outside in: what trusted proxies say, the edge (context, trace, headers, crashes), metrics,
other origins' pages, the guard (how many, how long), authentication, the intake, then routing.
Nothing is looked up globally; whoever composes the process gives all parts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from grnry import __version__
from grnry.http.authentication import OPEN_PATHS, Authentication, Authenticator, OpenPaths
from grnry.http.authorisation import AnyProject, KnownProjects
from grnry.http.cors import Cors, parse_origins
from grnry.http.docs_page import DOCS, docs_page
from grnry.http.edge import Edge
from grnry.http.error_handlers import add_error_handlers
from grnry.http.forwarding import Forwarding, parse_networks
from grnry.http.guard import Guard
from grnry.http.health import Check, health_router
from grnry.http.intake import Intake
from grnry.http.links import Links
from grnry.http.metrics import METRICS, RequestMetrics, metrics_page, new_registry
from grnry.http.openapi import TITLE, describe
from grnry.http.routing import RawRoute, Router, raw_route
from grnry.identity.access import OPEN, SIGNED_IN
from grnry.settings import Settings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    *,
    settings: Settings,
    authenticator: Authenticator,
    projects: KnownProjects | None = None,
    routers: Iterable[Router] = (),
    raw_routes: Sequence[RawRoute] = (),
    checks: Mapping[str, Check] | None = None,
    open_paths: Sequence[str] = (),
    challenge: str = "Bearer",
    registry: CollectorRegistry | None = None,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """`open_paths` answer without a token: a path, or a prefix that ends in `*`.

    `challenge` is the `WWW-Authenticate` of a 401.
    """
    registry = registry or new_registry()
    metrics = ("/metrics",) if settings.metrics_anonymous else ()
    opened = OpenPaths.of([*OPEN_PATHS, *open_paths, *metrics])
    origins = parse_origins(settings.cors_origins)
    proxies = parse_networks(settings.trusted_proxies)
    app = FastAPI(
        title=TITLE,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan,
        middleware=[
            *([Middleware(Forwarding, networks=proxies)] if proxies else []),
            Middleware(Edge),
            Middleware(RequestMetrics, registry=registry),
            *([Middleware(Cors, origins=origins)] if origins else []),
            Middleware(
                Guard,
                most=settings.max_requests,
                seconds=settings.request_seconds,
                registry=registry,
            ),
            Middleware(
                Authentication,
                authenticator=authenticator,
                open_paths=opened,
                challenge=challenge,
            ),
            Middleware(
                Intake,
                limit=settings.max_body_bytes,
                stream_limit=settings.max_stream_bytes,
                streams=[route for route in raw_routes if route.streams],
            ),
        ],
    )
    app.state.projects = projects or AnyProject()
    app.state.registry = registry
    add_error_handlers(app, Links(settings.public_url))
    # First, as routes are tried one after the other, and events come more often than all else.
    app.router.routes.extend(raw_routes)
    # Taken over as they are: `include_router` wraps them in what costs every request time.
    for router in (health_router(checks or {}), *routers):
        app.router.routes.extend(router.routes)
    watching = OPEN if settings.metrics_anonymous else SIGNED_IN
    app.router.routes += [
        raw_route("/metrics", metrics_page(registry), ["GET"], METRICS, permission=watching),
        raw_route("/docs", docs_page(app), ["GET"], DOCS, permission=OPEN),
    ]
    app.openapi = describe(app, opened)  # type: ignore[method-assign]
    return app
