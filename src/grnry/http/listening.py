"""The socket that the API listens on, taken before anything else is started."""

import socket

from grnry.errors import StartError

BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or one sentence that says why there is none."""
    if not 0 <= port <= 65535:
        raise StartError(f"There is no port {port}. Choose one up to 65535, or 0 for a free one.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "that is no name of a host"
        raise StartError(
            f"Cannot listen on {host}:{port}: {why}. "
            "Choose another with --port (0 takes a free one) or --host."
        ) from error
    listener.listen(BACKLOG)
    return listener
