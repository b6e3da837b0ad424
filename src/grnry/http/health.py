"""`/health/live` and `/health/ready`: whether the process lives, and whether it can do its work."""

import logging
from collections.abc import Callable, Mapping

from fastapi import Response

from grnry.errors import GranaryError
from grnry.http.bodies import AnswerBody
from grnry.http.routing import Router
from grnry.identity.access import OPEN

logger = logging.getLogger("grnry.http")

Check = Callable[[], None]
"""Raises where a part is not ready; a `GranaryError` says why."""

READY = "ready"


class Liveness(AnswerBody):
    status: str = "live"


class Readiness(AnswerBody):
    """Ready is who can say `ready` for every part."""

    status: str
    parts: dict[str, str]


def look_at(name: str, check: Check) -> str:
    try:
        check()
    except GranaryError as error:
        return error.message
    except Exception:
        logger.exception("The check of %s failed", name)
        return "The check failed."
    return READY


def health_router(checks: Mapping[str, Check]) -> Router:
    router = Router(prefix="/health", tags=["health"], permission=OPEN)

    @router.get("/live")
    async def live() -> Liveness:
        """Whether the process answers."""
        return Liveness()

    @router.get("/ready", responses={503: {"model": Readiness, "description": "Not ready."}})
    def ready(response: Response) -> Readiness:
        """Whether every part does its work, and which does not."""
        parts = {name: look_at(name, check) for name, check in checks.items()}
        is_ready = all(said == READY for said in parts.values())
        if not is_ready:
            response.status_code = 503
            response.headers["Retry-After"] = "1"
        return Readiness(status=READY if is_ready else "not ready", parts=parts)

    return router
