"""The schema of a live segment as it is sent, kept and answered. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from grnry.errors import Problem

_SHAPE = 'must be a JSON Schema: the object itself, its text, or {"schema": "<its text>"}'


@dataclass(frozen=True, slots=True)
class SchemaDocument:
    """A schema's text as it was given, and its subject; equal are those that say the same."""

    text: str = field(compare=False)
    subject: str | None = None
    document: Any = field(default=None, repr=False)
    """The parsed text; none where it is not JSON."""

    @classmethod
    def of(cls, given: Any) -> "SchemaDocument":
        """From any of the forms that are taken; what is none of them has an empty text."""
        if isinstance(given, str):
            return cls.parse(given)
        if not isinstance(given, dict):
            return cls("")
        if "schema" in given and given.keys() <= {"schema", "subject", "schemaType"}:
            inner, subject = given["schema"], given.get("subject")
            if isinstance(subject, str | None) and not isinstance(inner, list):
                return cls.of_inner(inner, subject or None)
            return cls("")
        return cls(orjson.dumps(given).decode(), None, given)

    @classmethod
    def of_inner(cls, inner: Any, subject: str | None) -> "SchemaDocument":
        if isinstance(inner, dict):
            return cls(orjson.dumps(inner).decode(), subject, inner)
        return cls.parse(inner, subject) if isinstance(inner, str) else cls("")

    @classmethod
    def parse(cls, text: str, subject: str | None = None) -> "SchemaDocument":
        try:
            return cls(text, subject, orjson.loads(text))
        except orjson.JSONDecodeError:
            return cls(text, subject)

    def answer(self) -> dict[str, str]:
        subject = {"subject": self.subject} if self.subject else {}
        return {**subject, "schema": self.text}


def schema_problems(schema: SchemaDocument | None) -> Iterator[Problem]:
    """What is wrong with the schema of a live segment."""
    if schema is None:
        yield Problem("schema", "must not be empty")
    elif not isinstance(schema.document, dict):
        yield Problem("schema", _SHAPE if not schema.text else "is not a JSON object")
