"""The machine-readable contract: how to authenticate and how errors look, said once."""

import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from grnry.http.authentication import OpenPaths
from grnry.http.described_errors import DESCRIPTIONS, HEADERS, error_name, error_responses
from grnry.http.error_model import ErrorBody
from grnry.http.examples import add_examples
from grnry.http.routing import RawRoute

Schema = dict[str, Any]

TITLE = "Granary"
DESCRIPTION = "A self-hosted platform for event data."
ERROR = "Error"
EXPORTED = "x-exported"
SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "authentication": {
        "type": "apiKey",
        "in": "header",
        "name": "Authentication",
        "description": "The same token, with or without the word `Bearer`.",
    },
}
PATH_PARAMETERS = {
    "project_name": "The project's name.",
    "event_type_name": "The event type's name.",
    "realm": "The realm's name: `grnry`.",
}
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Errors of an operation beyond those that all have: `responses=errors(404, 409)`."""
    return {status: {"description": DESCRIPTIONS[str(status)]} for status in statuses}


def describe(app: FastAPI, open_paths: OpenPaths) -> Callable[[], Schema]:
    """Make the description when it is first asked for, and keep it."""

    def openapi() -> Schema:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=TITLE, version=app.version, description=DESCRIPTION, routes=app.routes
            )
            _add_raw_routes(schema, app.routes)
            app.openapi_schema = complete(schema, open_paths)
        return app.openapi_schema

    return openapi


def _add_raw_routes(schema: Schema, routes: Iterable[BaseRoute]) -> None:
    for route in routes:
        if isinstance(route, RawRoute) and route.described:
            for method in sorted((route.methods or set()) - {"HEAD"}):
                operation = {**_path_parameters(method, route.path), **deepcopy(route.described)}
                schema["paths"].setdefault(route.path, {})[method.lower()] = operation


def _path_parameters(method: str, path: str) -> Schema:
    return {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": PATH_PARAMETERS.get(name, ""),
                "schema": {"type": "string"},
            }
            for name in re.findall(r"{(\w+)}", path)
        ],
    }


def complete(schema: Schema, open_paths: OpenPaths) -> Schema:
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    model = ErrorBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= model.pop("$defs") | {ERROR: model}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["responses"] = error_responses(ERROR)
    components["headers"] = HEADERS
    components["securitySchemes"] = SECURITY
    for path, operation in _operations(schema):
        _complete_operation(operation, needs_token=path not in open_paths)
        add_examples(operation, schemas)
    return schema


def _operations(schema: Schema) -> Iterator[tuple[str, Schema]]:
    for path, item in schema["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, item[method]


def _complete_operation(operation: Schema, *, needs_token: bool) -> None:
    responses: Schema = operation["responses"]
    responses.pop("422", None)
    for status in _errors_of(operation, needs_token=needs_token):
        responses.setdefault(status, {})
    for status, response in responses.items():
        if status in DESCRIPTIONS and "content" not in response:
            responses[status] = {"$ref": f"#/components/responses/{error_name(status)}"}
        elif "$ref" not in response:
            _add_headers(operation, status, response)
    operation["responses"] = dict(sorted(responses.items()))
    _allow_export(operation)
    if needs_token:
        operation["security"] = [{name: []} for name in SECURITY]


def _add_headers(operation: Schema, status: str, response: Schema) -> None:
    names = ["X-Request-Id"]
    if status.startswith("2") and "application/json" in _body_types(operation):
        names.append("X-Ignored-Fields")
    if status in ("200", "304") and "if-none-match" in _parameters(operation):
        names.append("ETag")
    if status in ("429", "503"):
        names.append("Retry-After")
    if status == "304":
        response["description"] = "The caller has it already."
    headers = response.setdefault("headers", {})
    for name in names:
        headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _allow_export(operation: Schema) -> None:
    """An export is what its own kind of body is; the room names it by `exported`."""
    body = operation.pop(EXPORTED, None)
    if body:
        content = operation["responses"]["200"]["content"]["application/json"]
        content["schema"] = {"anyOf": [content["schema"], {"$ref": f"#/components/schemas/{body}"}]}


def exported(body: type) -> Schema:
    """For an operation with `export`: `openapi_extra=exported(EventTypeBody)`."""
    return {EXPORTED: body.__name__}


def _parameters(operation: Schema) -> set[str]:
    return {parameter["name"].lower() for parameter in operation.get("parameters", [])}


def _body_types(operation: Schema) -> Schema:
    found: Schema = operation.get("requestBody", {}).get("content", {})
    return found


def _errors_of(operation: Schema, *, needs_token: bool) -> Iterator[str]:
    # What the server refuses before it looks at the path may happen to any request.
    yield from ("400", "408", "414", "431", "500", "503")
    if needs_token:
        yield from ("401", "403")
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
        yield "404"
    if "requestBody" in operation:
        yield from ("413", "415")
    if "if-none-match" in _parameters(operation):
        yield "304"
    if "if-match" in _parameters(operation):
        yield "412"
