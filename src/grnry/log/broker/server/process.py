"""The broker's process: open the store, listen, run until told to stop, close in order."""

import asyncio
import logging
import resource
import signal
import socket
import ssl
from typing import NamedTuple

from grnry.log.broker.errors import BrokerStartError
from grnry.log.broker.settings import BrokerSettings
from grnry.log.broker.storage.store import Store

from .broker import Broker
from .connection import Connection
from .metrics_http import MetricsServer
from .security import Users, check_exposure, is_loopback, tls_of

log = logging.getLogger("grnry.log.broker")

_BACKLOG = 512
_SECONDS_TO_SHAKE_HANDS = 10.0


class Guard(NamedTuple):
    """What stands before a connection: encryption, and the users that may have one."""

    tls: ssl.SSLContext | None
    users: Users | None


def run(settings: BrokerSettings) -> int:
    """Blocks until SIGTERM or SIGINT; 0 after a clean stop, 1 where the disk failed."""
    check_exposure(settings)
    security = settings.security
    tls = tls_of(security)
    users = None if security.users is None else Users(security.users)
    open_files = _open_files(settings)
    listener = _bound(settings)
    store = Store(settings.data, settings.log, open_files)
    try:
        store.open()
        return _run_loop(settings, store, listener, Guard(tls, users))
    finally:
        listener.close()
        store.release()


def _open_files(settings: BrokerSettings) -> int:
    """As many as the system allows, with half of them left for connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * settings.limits.open_files + 2 * settings.limits.connections
    raised = min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted
    if soft != resource.RLIM_INFINITY and soft < raised:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    return max(16, min(settings.limits.open_files, soft // 2))


def _bound(settings: BrokerSettings) -> socket.socket:
    """The port is taken first, so that a second broker on it stops before it touches a file."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise BrokerStartError(
            f"The broker can't listen on {settings.host}:{settings.port}: {error.strerror}. "
            f"Stop what uses the port, or give the broker another one."
        ) from error
    listener.setblocking(False)
    return listener


def _run_loop(settings: BrokerSettings, store: Store, listener: socket.socket, guard: Guard) -> int:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, store, listener, guard))


async def _serve(
    settings: BrokerSettings, store: Store, listener: socket.socket, guard: Guard
) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    failures: list[OSError] = []

    def fail(error: OSError) -> None:
        failures.append(error)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    port = listener.getsockname()[1]
    broker = Broker(settings, store, port, fail, guard.users)
    server = await loop.create_server(
        lambda: Connection(broker),
        sock=listener,
        backlog=_BACKLOG,
        ssl=guard.tls,
        ssl_handshake_timeout=None if guard.tls is None else _SECONDS_TO_SHAKE_HANDS,
        start_serving=True,
    )
    metrics = await _metrics_server(settings, broker, store)
    _say_ready(settings, port)
    expiry = asyncio.create_task(_expire_regularly(broker, settings.retention_check_interval))
    idling = asyncio.create_task(_close_idle_connections(broker))
    await stop.wait()
    expiry.cancel()
    idling.cancel()
    server.close()
    metrics.stop()
    if not failures:
        try:
            await _close(broker, store)
        except OSError as error:
            failures.append(error)
    if failures:
        log.error("stopped, as the disk failed to sync: %s; start again to recover", failures[0])
    return 1 if failures else 0


async def _metrics_server(settings: BrokerSettings, broker: Broker, store: Store) -> MetricsServer:
    server = MetricsServer(settings.metrics_address or "", broker.metrics)
    if settings.metrics_address is not None:
        try:
            await server.start()
        except BrokerStartError:
            await _close(broker, store)
            raise
    return server


async def _close(broker: Broker, store: Store) -> None:
    await broker.durability.flush()
    broker.close_connections()
    await asyncio.sleep(0)
    broker.durability.stop()
    store.close()
    log.info("stopped, all is on the disk")


async def _close_idle_connections(broker: Broker) -> None:
    while True:
        await asyncio.sleep(broker.limits.idle_seconds / 10)
        broker.close_idle_connections()


async def _expire_regularly(broker: Broker, interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        try:
            await broker.expire()
        except Exception:
            log.exception("retention failed")


def _say_ready(settings: BrokerSettings, port: int) -> None:
    when = "before each acknowledgement"
    if settings.fsync == "interval":
        when = f"every {settings.fsync_interval:g} s, so a power cut may lose what came since"
    log.info("listening on %s:%d, data in %s, fsync %s", settings.host, port, settings.data, when)
    if not is_loopback(settings.host) and settings.security.insecure:
        missing = [
            "encryption" if settings.security.certificate is None else "",
            "passwords" if settings.security.users is None else "",
        ]
        if any(missing):
            said = " and ".join(filter(None, missing))
            log.warning("--insecure: who reaches the port may read and write, without %s", said)
