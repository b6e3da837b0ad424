"""`/docs`: a page over the contract, made here, so that it needs nothing from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

Schema = dict[str, Any]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
summary { cursor: pointer; padding: .3rem 0 } code, pre { font-size: 13px }
summary b { display: inline-block; width: 4.5rem } pre { overflow: auto; background: #8881;
padding: .5rem } td, th { text-align: left; padding: .1rem 1rem .1rem 0; vertical-align: top }
:root { color-scheme: light dark }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'"


DOCS: Schema = {
    "tags": ["contract"],
    "summary": "This page",
    "description": "A page over the contract, for people.",
    "responses": {
        "200": {
            "description": "The page.",
            "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>"}},
        }
    },
}


def docs_page(app: FastAPI) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        headers = {"Content-Security-Policy": POLICY}
        return HTMLResponse(render_page(app.openapi()), headers=headers)

    return page


def render_page(schema: Schema) -> str:
    title = escape(schema["info"]["title"])
    body = "".join(_paths(schema))
    models = "".join(
        _details(escape(name), _json(model))
        for name, model in schema.get("components", {}).get("schemas", {}).items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style><h1>{title} {escape(schema['info']['version'])}</h1>"
        f'<p>The same for machines: <a href="/openapi.json">openapi.json</a></p>'
        f"{body}<h2>Schemas</h2>{models}</html>"
    )


def _paths(schema: Schema) -> Iterator[str]:
    tag = ""
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            own = (operation.get("tags") or ["other"])[0]
            if own != tag:
                tag = own
                yield f"<h2>{escape(tag)}</h2>"
            head = f"<b>{method.upper()}</b> <code>{escape(path)}</code> "
            yield _details(head + escape(operation.get("summary", "")), _operation(operation))


def _operation(operation: Schema) -> str:
    parts = [f"<p>{escape(operation.get('description', ''))}</p>"]
    rows = "".join(
        f"<tr><td><code>{escape(parameter['name'])}</code><td>{escape(parameter['in'])}"
        f"<td>{escape(parameter.get('description', ''))}"
        for parameter in operation.get("parameters", [])
    )
    parts.append(f"<table>{rows}</table>" if rows else "")
    if "requestBody" in operation:
        parts.append("<h4>Body</h4>" + _json(operation["requestBody"].get("content", {})))
    parts.append("<h4>Answers</h4>" + _json(operation["responses"]))
    return "".join(parts)


def _details(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>{content}</details>"


def _json(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=1))}</pre>"
