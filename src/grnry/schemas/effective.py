"""The effective form of a schema: what of it accepts or refuses a record, in plain references."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from grnry.schemas.drafts import Draft, Place, children, is_schema
from grnry.schemas.errors import path_of

ANNOTATIONS = frozenset(
    (
        "$schema",
        "$id",
        "id",
        "$anchor",
        "$comment",
        "$vocabulary",
        "title",
        "description",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "format",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
    )
)
"""`format` is an annotation, as in Confluent's registry; where it gives a column its type, the
record's validator asserts it."""

MONOTONE = frozenset(
    (
        "properties",
        "patternProperties",
        "additionalProperties",
        "items",
        "additionalItems",
        "prefixItems",
        "allOf",
        "anyOf",
        "then",
        "else",
        "dependencies",
        "dependentSchemas",
    )
)
"""A schema below these may accept more, and the whole never accepts less."""


def effective_form(document: dict[str, Any], draft: Draft, references: dict[Place, Place]) -> Any:
    relaxed = _relaxable(document, draft, references)
    form = _form(document, (), draft, references, relaxed)
    own = document.get("properties", {})
    if isinstance(form, dict) and "id" in own and "id" not in form.get("required", ()):
        form["required"] = [*form.get("required", ()), "id"]
    return form


def _relaxable(
    document: dict[str, Any], draft: Draft, references: dict[Place, Place]
) -> set[Place]:
    """The places that are reached by monotone keywords only."""
    reached: dict[tuple[Place, bool], None] = {}
    waiting: list[tuple[Place, Any, bool]] = [((), document, True)]
    by_place = dict(_all(document, draft))
    while waiting:
        place, raw, monotone = waiting.pop()
        if (place, monotone) in reached or not isinstance(raw, dict):
            continue
        reached[place, monotone] = None
        if place in references:
            target = references[place]
            waiting.append((target, by_place[target], monotone))
        for step, child in children(raw, draft):
            if step[0] not in ("definitions", "$defs"):
                waiting.append((place + step, child, monotone and step[0] in MONOTONE))
    return {place for place, monotone in reached if monotone and (place, False) not in reached}


def _all(document: dict[str, Any], draft: Draft) -> Iterator[tuple[Place, Any]]:
    waiting: list[tuple[Place, Any]] = [((), document)]
    while waiting:
        place, raw = waiting.pop()
        yield place, raw
        if isinstance(raw, dict):
            waiting += [(place + step, child) for step, child in children(raw, draft)]


def _form(
    raw: Any, place: Place, draft: Draft, references: dict[Place, Place], relaxed: set[Place]
) -> Any:
    if not isinstance(raw, dict):
        return raw
    form = {keyword: _copied(value) for keyword, value in raw.items() if keyword not in ANNOTATIONS}
    if place in references:
        form["$ref"] = "#" + quote(path_of(references[place])[1:], safe="/~")
    if place in relaxed and isinstance(form.get("required"), list):
        needed = [name for name in form["required"] if not _has_default(raw, name)]
        form["required"] = needed
        if not needed:
            del form["required"]
    for step, child in children(raw, draft):
        if is_schema(child):
            _put(form, step, _form(child, place + step, draft, references, relaxed))
    return form


def _has_default(raw: dict[str, Any], name: str) -> bool:
    own = raw.get("properties", {}).get(name)
    return isinstance(own, dict) and "default" in own


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value


def _put(form: dict[str, Any], step: Place, child: Any) -> None:
    """Puts the child at one or two steps below."""
    if len(step) == 1:
        form[step[0]] = child
    elif isinstance(form[step[0]], list):
        form[step[0]][int(step[1])] = child
    else:
        form[step[0]][step[1]] = child
