"""`?export=true`: of a resource, only what the body that makes it again has to say."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from grnry.http.answers import json_answer
from grnry.http.bodies import RequestBody

Values = Mapping[str, Any]


def exported(model: type[RequestBody], values: Values) -> dict[str, Any]:
    """The fields of the body's model whose value is none of their defaults, in the model's order.

    `values` are named as on the wire. What is empty means the default, as in any body.
    """
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        wire = field.alias or name
        value = values.get(wire)
        if field.is_required() or not is_default(model, name, value):
            found[wire] = value
    return found


def is_default(model: type[RequestBody], name: str, value: Any) -> bool:
    if value is None or value in ("", [], {}):
        return True
    default = model.model_fields[name].get_default(call_default_factory=True, validated_data={})
    return bool(value == default)


def export_answer(model: type[RequestBody], values: Values) -> Response:
    """The same bytes for the same resource, wherever and whenever it was made."""
    return json_answer(exported(model, values))
