"""The machine-readable contract: how to authenticate and how errors look, said once."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from grnry.http.authentication import OpenPaths
from grnry.http.error_model import ErrorBody
from grnry.http.routing import RawRoute

Schema = dict[str, Any]

TITLE = "Granary"
DESCRIPTION = "A self-hosted platform for event data."
SCHEME = "token"
ERROR = "Error"
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")

DESCRIPTIONS = {
    "400": "Something that was given is wrong; `invalidParams` names all of it.",
    "401": "The token is missing or invalid.",
    "403": "The caller's roles do not reach it.",
    "404": "There is no such thing.",
    "409": "It is there already.",
    "412": "It is in use, or was changed in the meantime.",
    "413": "The body is too large.",
    "415": "The body is of another content type than JSON.",
    "429": "Too many requests.",
    "500": "An unexpected error occurred.",
    "503": "The database or the log is away.",
}


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
                operation = {**_path_parameters(route.path), **route.described}
                schema["paths"].setdefault(route.path, {})[method.lower()] = operation


def _path_parameters(path: str) -> Schema:
    names = re.findall(r"{(\w+)}", path)
    return {
        "operationId": re.sub(r"\W+", "_", path).strip("_"),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ],
    }


def complete(schema: Schema, open_paths: OpenPaths) -> Schema:
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    model = ErrorBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= model.pop("$defs") | {ERROR: model}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["responses"] = {_name(status): _response(status) for status in DESCRIPTIONS}
    components["securitySchemes"] = {
        SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    for path, operation in _operations(schema):
        _complete_operation(operation, needs_token=path not in open_paths)
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
            responses[status] = {"$ref": f"#/components/responses/{_name(status)}"}
    operation["responses"] = dict(sorted(responses.items()))
    if needs_token:
        operation["security"] = [{SCHEME: []}]


def _errors_of(operation: Schema, *, needs_token: bool) -> Iterator[str]:
    parameters = operation.get("parameters", [])
    if parameters or "requestBody" in operation:
        yield "400"
    if needs_token:
        yield from ("401", "403")
    if any(parameter["in"] == "path" for parameter in parameters):
        yield "404"
    if "requestBody" in operation:
        yield from ("413", "415")
    yield from ("500", "503")


def _name(status: str) -> str:
    return f"Error{status}"


def _response(status: str) -> Schema:
    reference = {"$ref": f"#/components/schemas/{ERROR}"}
    return {
        "description": DESCRIPTIONS[status],
        "content": {"application/json": {"schema": reference}},
    }
