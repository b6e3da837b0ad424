"""SASL/PLAIN: who connects says a name and a password before anything else is answered."""

import asyncio
import logging

from grnry.log.broker.errors import BrokerStartError
from grnry.log.broker.protocol import apis
from grnry.log.broker.protocol.codec import Values
from grnry.log.broker.protocol.errors import ErrorCode, MalformedRequestError

from .answers import Later, Request, Session
from .security import Users

log = logging.getLogger("grnry.log.broker")

MECHANISM = "PLAIN"
OPEN_APIS = frozenset({apis.API_VERSIONS, apis.SASL_HANDSHAKE, apis.SASL_AUTHENTICATE})
SECONDS_TO_AUTHENTICATE = 20.0
LARGEST_REQUEST = 64 << 10  # of who has not said who they are
_SECONDS_AFTER_FAILURE = 0.5


class SaslHandlers:
    def __init__(self, users: Users | None) -> None:
        self._users = users

    @property
    def is_required(self) -> bool:
        return self._users is not None

    def check(self, session: Session, api_key: int) -> None:
        """Nothing but finding out how to authenticate is answered to a stranger."""
        if self._users is None or session.user is not None:
            return
        if session.has_failed or api_key not in OPEN_APIS:
            raise MalformedRequestError(
                "it has not authenticated; its client needs security.protocol, sasl.mechanism "
                "PLAIN, a username and a password"
            )

    def handshake(self, request: Request) -> Values:
        if self._users is None:
            return {"error_code": ErrorCode.ILLEGAL_SASL_STATE, "mechanisms": ()}
        if request.body.mechanism != MECHANISM:
            code = ErrorCode.UNSUPPORTED_SASL_MECHANISM
            return {"error_code": code, "mechanisms": (MECHANISM,)}
        request.session.mechanism = MECHANISM
        return {"error_code": ErrorCode.NONE, "mechanisms": (MECHANISM,)}

    def authenticate(self, request: Request) -> Values | Later:
        session, users = request.session, self._users
        if users is None or session.mechanism is None or session.user is not None:
            message = "Authentication is not expected here."
            return _failed(ErrorCode.ILLEGAL_SASL_STATE, message)
        name, password = _plain(bytes(request.body.auth_bytes))
        try:
            users.read()
        except BrokerStartError as error:
            log.warning("the users that were known stay: %s", error)
        if users.knows(name, password):
            session.user = name
            return {"error_code": ErrorCode.NONE, "error_message": None, "auth_bytes": b""}
        session.has_failed = True
        log.warning("%s gave a wrong name or password, as '%s'", request.client_host, name[:100])
        return self._failed_later()

    async def _failed_later(self) -> Values:
        await asyncio.sleep(_SECONDS_AFTER_FAILURE)
        return _failed(
            ErrorCode.SASL_AUTHENTICATION_FAILED, "The user's name or password is wrong."
        )


def _plain(message: bytes) -> tuple[str, str]:
    """Name and password of RFC 4616's message; empty ones where it is none."""
    parts = message.split(b"\0")
    if len(parts) != 3 or (parts[0] and parts[0] != parts[1]):
        return "", ""
    try:
        return parts[1].decode(), parts[2].decode()
    except UnicodeDecodeError:
        return "", ""


def _failed(code: ErrorCode, message: str) -> Values:
    return {"error_code": code, "error_message": message, "auth_bytes": b""}
