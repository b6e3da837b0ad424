"""A JSON Schema read and checked: its draft, its places, its references.

All that later looks at a schema (comparison, columns, validation) looks at its *effective* form:
references are plain pointers, annotations and `format` are gone, and `required` leaves out what a
`default` stands in for. Its places are those of the document as written.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jsonschema_rs
import orjson

from grnry.schemas.bounds import MAX_BYTES, MAX_PATTERN_LENGTH, MAX_PATTERN_MEMORY, check_size
from grnry.schemas.drafts import UNSUPPORTED, Draft, Place, children, draft_of, is_schema
from grnry.schemas.effective import effective_form
from grnry.schemas.errors import SchemaError, SchemaProblem, path_of
from grnry.schemas.references import References, check_expansion

PATTERN_OPTIONS = jsonschema_rs.RegexOptions(size_limit=MAX_PATTERN_MEMORY)
"""The engine that matches in linear time; without it patterns could backtrack for ever."""


@dataclass(frozen=True, eq=False)
class JsonSchema:
    """A schema that was found valid."""

    text: str
    document: dict[str, Any]
    draft: Draft
    places: dict[Place, Any]
    references: dict[Place, Place]
    recursive: bool

    @cached_property
    def effective(self) -> dict[str, Any]:
        form = effective_form(self.document, self.draft, self.references)
        assert isinstance(form, dict)
        return form

    def __repr__(self) -> str:
        return f"<JsonSchema {self.draft.name}, {len(self.text)} characters>"


def read_schema(given: str | bytes | dict[str, Any]) -> JsonSchema:
    """The schema of a text or a document; SchemaError says all that is wrong with it."""
    document, text = _loaded(given)
    check_size(document)
    draft = draft_of(document)
    _raise(_against_the_draft(document, (), draft))
    places = _places(document, draft)
    _raise(_in_later_definitions(places, draft))
    reader = References(document, draft, places)
    problems = [problem for place, raw in places.items() for problem in _refused(place, raw, draft)]
    _raise([*problems, *reader.problems])
    recursive = check_expansion(places, draft, reader.targets)
    schema = JsonSchema(text, document, draft, places, reader.targets, recursive)
    try:
        build(schema.effective, draft)
    except ValueError as error:
        reason = f"can not be compiled: {_shortened(str(error).partition(chr(10))[0])}"
        raise SchemaError.of("#", reason) from None
    return schema


def build(schema: Any, draft: Draft, **options: Any) -> jsonschema_rs.Validator:
    """A validator that opens no connection and no file, and matches in linear time."""
    return draft.validator(schema, offline=True, pattern_options=PATTERN_OPTIONS, **options)


def _raise(problems: list[SchemaProblem]) -> None:
    if problems:
        raise SchemaError(problems)


def _loaded(given: str | bytes | dict[str, Any]) -> tuple[dict[str, Any], str]:
    try:
        text = orjson.dumps(given) if isinstance(given, dict) else given
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError.of("#", f"is not JSON: {error}") from None
    if len(text) > MAX_BYTES:
        raise SchemaError.of("#", f"is longer than {MAX_BYTES:,} bytes")
    try:
        document = orjson.loads(text)
    except (ValueError, RecursionError) as error:
        raise SchemaError.of("#", f"is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise SchemaError.of("#", "must be a JSON object")
    return document, text if isinstance(text, str) else text.decode()


def _against_the_draft(document: Any, place: Place, draft: Draft) -> list[SchemaProblem]:
    found = {
        path_of((*place, *error.instance_path)): error.message
        for error in draft.validator({"$ref": draft.uri}, offline=True).iter_errors(document)
    }
    return [
        SchemaProblem(path, f"is not valid in {draft.name}: {_shortened(message)}")
        for path, message in found.items()
    ]


def _in_later_definitions(places: dict[Place, Any], draft: Draft) -> list[SchemaProblem]:
    """`$defs` is taken for definitions in all drafts; the earlier ones do not look into it."""
    later = [place for place in places if draft.number < 19 and "$defs" in place[-2:-1]]
    return [problem for at in later for problem in _against_the_draft(places[at], at, draft)]


def _shortened(message: str) -> str:
    return message if len(message) <= 200 else message[:200] + "…"


def _places(document: dict[str, Any], draft: Draft) -> dict[Place, Any]:
    """All schemas within the schema, by where they are."""
    places: dict[Place, Any] = {}
    waiting: list[tuple[Place, Any]] = [((), document)]
    while waiting:
        place, raw = waiting.pop()
        if is_schema(raw):
            places[place] = raw
        if isinstance(raw, dict):
            waiting += [(place + step, child) for step, child in children(raw, draft)]
    return places


def _refused(place: Place, raw: Any, draft: Draft) -> list[SchemaProblem]:
    """What is JSON Schema, but not for us: other base addresses, dynamic references, patterns."""
    if not isinstance(raw, dict):
        return []
    problems = [
        SchemaProblem(path_of((*place, keyword)), "is not supported; write '$ref' and '$defs'")
        for keyword in UNSUPPORTED
        if keyword in raw and draft.number >= 19
    ]
    own = raw.get(draft.id_keyword)
    if place and isinstance(own, str) and not own.startswith("#"):
        reason = "is supported at the root only; refer to the schema by '#/…' instead"
        problems.append(SchemaProblem(path_of((*place, draft.id_keyword)), reason))
    patterns = [((*place, "pattern"), raw["pattern"])] if "pattern" in raw else []
    named = raw.get("patternProperties", {})
    patterns += [((*place, "patternProperties", pattern), pattern) for pattern in named]
    for where, pattern in patterns:
        reason = _wrong_with(pattern)
        if reason:
            problems.append(SchemaProblem(path_of(where), reason))
    return problems


def _wrong_with(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN_LENGTH:
        return f"has a pattern longer than {MAX_PATTERN_LENGTH:,} characters"
    try:
        jsonschema_rs.Draft7Validator({"pattern": pattern}, pattern_options=PATTERN_OPTIONS)
    except ValueError:
        return (
            "is no regular expression that can be matched in linear time "
            "(look-around and back references can not, nor very large repetitions)"
        )
    return ""
