"""Bodies that make event types of each kind."""

from typing import Any

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["id"],
}
NEEDED: dict[str, dict[str, Any]] = {
    "data_in": {"correlationIdExpression": "payload.user", "eventIdExpression": "payload.id"},
    "live_segment": {"schema": SCHEMA},
}


def body(kind: str, name: str, **others: Any) -> dict[str, Any]:
    return {
        "displayName": name,
        "type": kind,
        "partitionCount": 2,
        **NEEDED.get(kind, {}),
        **others,
    }
