"""The fields of an event type as they are shown, and compared with what is asked for."""

from typing import Any

GENERATED = frozenset(
    {
        "createdAt",
        "createdBy",
        "modifiedAt",
        "modifiedBy",
        "name",
        "projectName",
        "topicName",
        "version",
    }
)
NOT_SHOWN = frozenset({"_links", "inputs", "outputs"})


def is_asked(name: str, value: Any, before: dict[str, Any]) -> bool:
    """Whether a field is asked to be different, by what the API makes of it."""
    if name not in before or name in GENERATED:
        return False
    return value is not None or name == "consumer"


def readable(event_type: dict[str, Any]) -> dict[str, Any]:
    """With the schema as what it says, whichever form it was given in."""
    import json

    found = {key: value for key, value in event_type.items() if key not in NOT_SHOWN}
    schema = found.get("schema")
    if isinstance(schema, dict) and isinstance(schema.get("schema"), str):
        schema = schema["schema"]
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError:
            return found  # the API says what is wrong with it
    return {**found, "schema": schema} if "schema" in found else found
