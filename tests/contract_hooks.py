"""How schemathesis logs in, and what it is kept from making too much of."""

import json
import os
from typing import Any

import httpx2
import schemathesis

TOKEN = "/auth/realms/grnry/protocol/openid-connect/token"
REFRESH_SECONDS = 120


@schemathesis.auth(refresh_interval=REFRESH_SECONDS)
class Login:
    """The token of `admin`, which lives for five minutes."""

    def get(self, case: Any, context: Any) -> str:
        username, password = json.loads(os.environ["GRNRY_TEST_LOGIN"])
        form = {
            "grant_type": "password",
            "client_id": "grnry",
            "username": username,
            "password": password,
        }
        url = context.operation.base_url.rstrip("/") + TOKEN
        answer = httpx2.post(url, data=form, trust_env=False)
        return str(answer.json()["access_token"])

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Whose token all calls carry is not to be locked out by one of them."""
    if (case.path_parameters or {}).get("user_id") == os.environ["GRNRY_TEST_KEPT_USER"]:
        case.path_parameters["user_id"] = "00000000-0000-4000-8000-000000000000"


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """A topic of a thousand partitions says nothing that one of two does not."""
    count = body.get("partitionCount") if isinstance(body, dict) else None
    if isinstance(count, int) and count > 2:
        return {**body, "partitionCount": 2}
    if isinstance(body, dict) and "displayName" in body and count is None:
        return {**body, "partitionCount": 1}
    return body


@schemathesis.serializer("application/x-ndjson")
def lines(context: Any, value: Any) -> bytes:
    """What is sent as lines is text already."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
