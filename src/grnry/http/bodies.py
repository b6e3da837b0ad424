"""Models of what is sent and answered.

    class EventTypeBody(RequestBody):
        display_name: str
        description: str = ""

A handler takes it as a parameter. Fields that the model does not know are tolerated and named in
the answer's header `X-Ignored-Fields`; an empty string for an optional field means its default.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from grnry.errors import Problem
from grnry.http.context import current

NUL = "\0"


class RequestBody(BaseModel):
    """A JSON object that a caller sends; `display_name` is `displayName` on the wire.

    Values are of exactly the kind that is declared: `"5"` is no number. As JSON knows neither
    tuples nor enumerations, declare `list[…]` and `Literal[…]`.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, extra="allow", strict=True, frozen=True, regex_engine="rust-regex"
    )

    generated_fields: ClassVar[frozenset[str]] = frozenset({"_links"})
    """What a GET answers and a PUT may repeat without effect: ignored, and not worth a word."""

    def problems(self, path: Mapping[str, str]) -> Iterable[Problem]:
        """What is wrong with its values, beyond their kinds.

        Asked where some are of a wrong kind, so that one answer names everything; where all kinds
        are right, the service says what is wrong.
        """
        return ()

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: _or_default(cls._field(name), value) for name, value in given.items()}

    @model_validator(mode="after")
    def _note_ignored(self) -> Self:
        # The outermost model is validated last, so what it notes replaces what its parts did.
        if context := current.get():
            context.ignored[:] = ignored_fields(self)
        return self

    @classmethod
    def _field(cls, name: str) -> FieldInfo | None:
        known = cls.model_fields.items()
        return next((field for key, field in known if (field.alias or key) == name), None)


class AnswerBody(BaseModel):
    """A JSON object that is answered; `display_name` is `displayName` on the wire."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True
    )


class Link(AnswerBody):
    href: str


class SelfLink(AnswerBody):
    itself: Link = Field(alias="self")


def _or_default(field: FieldInfo | None, value: Any) -> Any:
    if value == "" and field is not None and not field.is_required():
        return field.get_default(call_default_factory=True, validated_data={})
    return value


def places_of_nul(value: Any, place: str = "") -> Iterator[str]:
    """Where U+0000 stands, which the database cannot keep: neither names nor texts may hold it."""
    if isinstance(value, str):
        if NUL in value:
            yield place or "body"
    elif isinstance(value, Mapping):
        for key, part in value.items():
            inner = f"{place}.{key}" if place else key
            if NUL in key:
                yield inner.replace(NUL, "")
            yield from places_of_nul(part, inner)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from places_of_nul(part, f"{place}[{number}]")


def note_ignored(*names: str) -> None:
    """Name more fields in `X-Ignored-Fields`: such as are known, and have no effect this time."""
    if context := current.get():
        context.ignored.extend(names)


def ignored_fields(model: RequestBody, place: str = "") -> list[str]:
    """Names of what was sent and is not known, nested ones with their path."""
    return list(_ignored(model, place))


def _ignored(value: object, place: str) -> Iterator[str]:
    if isinstance(value, RequestBody):
        for name in value.model_extra or {}:
            if name not in value.generated_fields:
                yield f"{place}{name}"
        for name, field in type(value).model_fields.items():
            yield from _ignored(getattr(value, name), f"{place}{field.alias or name}.")
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _ignored(part, f"{place.removesuffix('.')}[{number}].")
