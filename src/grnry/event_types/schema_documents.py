"""The schema of a live segment as it is sent, kept and answered. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
import orjson

from grnry.errors import Problem
from grnry.schemas import JsonSchema, SchemaError, breaks, given_schema, live_segment_schema


@dataclass(frozen=True)
class SchemaDocument:
    """A schema's text as it was given, and its subject; equal are those that say the same."""

    text: str = field(compare=False)
    subject: str | None = None
    document: Any = field(default=None, repr=False)
    """The parsed text; none where it is not JSON."""
    wrong_form: str = ""
    """Why what was given is no schema at all."""

    @classmethod
    def of(cls, given: Any) -> "SchemaDocument":
        """From any of the forms that are taken."""
        try:
            found = given_schema(given)
        except SchemaError as error:
            return cls("", wrong_form=str(error))
        schema, subject = found.schema, found.subject or None
        if isinstance(schema, str):
            return cls.parse(schema, subject)
        return cls.parse(msgspec.json.encode(schema).decode(), subject)

    @classmethod
    def parse(cls, text: str, subject: str | None = None) -> "SchemaDocument":
        try:
            return cls(text, subject, orjson.loads(text))
        except orjson.JSONDecodeError:
            return cls(text, subject)

    @cached_property
    def schema(self) -> JsonSchema:
        """The schema itself; `SchemaError` says all that is wrong with it."""
        return live_segment_schema(self.text)

    def answer(self) -> dict[str, str]:
        subject = {"subject": self.subject} if self.subject else {}
        return {**subject, "schema": self.text}


def schema_problems(given: SchemaDocument | None) -> Iterator[Problem]:
    """What is wrong with the schema of a live segment."""
    if given is None:
        yield Problem("schema", "must not be empty")
    elif given.wrong_form:
        yield Problem("schema", given.wrong_form)
    else:
        try:
            _ = given.schema
        except SchemaError as error:
            for problem in error.problems:
                yield Problem("schema", f"{problem.path} {problem.reason}")


def incompatibilities(
    given: SchemaDocument, earlier: Sequence[SchemaDocument]
) -> Iterator[Problem]:
    """Each place where it breaks what was valid under an earlier version."""
    for each in breaks(given.schema, [version.schema for version in earlier]):
        yield Problem("schema", f"is not compatible: {each.sentence}")
