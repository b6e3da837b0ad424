"""The server of the API's process: uvicorn with our connections and limits."""

import resource
import socket
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from prometheus_client import Gauge

from grnry.http.connection import Connection
from grnry.http.limits import Limits
from grnry.settings import Settings

STOP_SECONDS = 4
# Files that the process needs beside its connections.
OTHER_FILES = 256


def make_server(app: FastAPI, settings: Settings, **others: Any) -> uvicorn.Server:
    """`others`: host and port, or whatever else uvicorn is to be told."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=partial(Connection, limits=Limits.of(settings)),  # type: ignore[arg-type]
            ws="none",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=STOP_SECONDS,
            timeout_keep_alive=settings.keep_alive_seconds,
            **others,
        )
    )
    open_now = Gauge("grnry_http_connections", "Open connections.", registry=app.state.registry)
    open_now.set_function(lambda: len(server.server_state.connections))
    return server


def serve(app: FastAPI, settings: Settings, listener: socket.socket) -> int:
    """Serve until a signal ends it; the exit code."""
    allow_files(settings.max_connections + OTHER_FILES)
    server = make_server(app, settings)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def allow_files(count: int) -> None:
    """Raise the number of open files that the kernel allows, as far as it may be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
