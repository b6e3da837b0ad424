"""What pydantic finds wrong, in the words that all messages share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from grnry.errors import BadInput, Problem

LONGEST_VALUE = 100
EMPTY = "must not be empty"
MOST_LEVELS = 500
TOO_DEEP = f"must not nest deeper than {MOST_LEVELS} levels"

Detail = Mapping[str, Any]


def shown(value: object) -> str:
    """A value that was given, in quotes, cut where it is long."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    names = {True: "true", False: "false", None: "null"}
    text = names[value] if value is None or isinstance(value, bool) else str(value)
    cut = text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
    return f"'{cut}'"


def must_be(what: str) -> Callable[[Detail], str]:
    return lambda detail: f"must be {what} but is {shown(detail.get('input'))}"


def _limit(words: str, key: str) -> Callable[[Detail], str]:
    return lambda detail: must_be(f"{detail['ctx'][key]} or {words}")(detail)


def _at_least(detail: Detail) -> str:
    """`1 or more` is what the messages call a natural number."""
    if detail["ctx"].get("ge") in {0, 1} and isinstance(detail.get("input"), int | str):
        return must_be("a natural number")(detail)
    return _limit("more", "ge")(detail)


def _too_short(detail: Detail) -> str:
    if not detail.get("input"):
        return EMPTY
    return f"must have at least {detail['ctx']['min_length']} characters"


def _too_long(detail: Detail) -> str:
    longest = detail["ctx"]["max_length"]
    return f"must have at most {longest} characters but has {len(detail['input'])}"


def _few_entries(detail: Detail) -> str:
    return f"must have at least {detail['ctx']['min_length']} entries"


def _many_entries(detail: Detail) -> str:
    return f"must have at most {detail['ctx']['max_length']} entries"


def _own_words(detail: Detail) -> str:
    return str(detail["ctx"]["error"])


def _no_json(detail: Detail) -> str:
    if detail.get("ctx", {}).get("error") == TOO_DEEP:
        return TOO_DEEP
    position = detail["loc"][-1] if len(detail["loc"]) > 1 else 0
    return f"must be JSON but is malformed at character {position}"


REASONS: Mapping[str, Callable[[Detail], str]] = {
    "missing": lambda _: EMPTY,
    "json_invalid": _no_json,
    "string_type": must_be("a string"),
    "string_sub_type": must_be("a string"),
    "string_unicode": lambda _: "must be valid Unicode",
    "string_too_short": _too_short,
    "string_too_long": _too_long,
    "string_pattern_mismatch": lambda detail: must_be(f"of the form {detail['ctx']['pattern']}")(
        detail
    ),
    "bytes_type": must_be("a string"),
    "int_type": must_be("a whole number"),
    "int_parsing": must_be("a whole number"),
    "int_parsing_size": must_be("a smaller number"),
    "int_from_float": must_be("a whole number"),
    "float_type": must_be("a number"),
    "float_parsing": must_be("a number"),
    "finite_number": must_be("a finite number"),
    "bool_type": must_be("'true' or 'false'"),
    "bool_parsing": must_be("'true' or 'false'"),
    "greater_than_equal": _at_least,
    "greater_than": lambda detail: must_be(f"more than {detail['ctx']['gt']}")(detail),
    "less_than_equal": _limit("less", "le"),
    "less_than": lambda detail: must_be(f"less than {detail['ctx']['lt']}")(detail),
    "multiple_of": lambda detail: must_be(f"a multiple of {detail['ctx']['multiple_of']}")(detail),
    "literal_error": lambda detail: must_be(detail["ctx"]["expected"])(detail),
    "enum": lambda detail: must_be(detail["ctx"]["expected"])(detail),
    "list_type": must_be("a list"),
    "tuple_type": must_be("a list"),
    "set_type": must_be("a list"),
    "frozen_set_type": must_be("a list"),
    "dict_type": must_be("an object"),
    "mapping_type": must_be("an object"),
    "model_type": must_be("an object"),
    "model_attributes_type": must_be("an object"),
    "dataclass_type": must_be("an object"),
    "too_short": _few_entries,
    "too_long": _many_entries,
    "none_required": must_be("empty"),
    "extra_forbidden": lambda _: "is not known",
    "union_tag_not_found": lambda _: EMPTY,
    "union_tag_invalid": must_be("of a known kind"),
    "uuid_type": must_be("a UUID"),
    "uuid_parsing": must_be("a UUID"),
    "datetime_type": must_be("a time"),
    "datetime_parsing": must_be("a time"),
    "datetime_from_date_parsing": must_be("a time"),
    "value_error": _own_words,
    "assertion_error": _own_words,
}


def reason_of(detail: Detail) -> str:
    """Any other error keeps pydantic's words."""
    known = REASONS.get(detail["type"])
    return known(detail) if known else f"is wrong: {detail['msg']}"


def name_of(place: Sequence[str | int]) -> str:
    """`("body", "metadata", "tags", 0)` is `metadata.tags[0]`; a whole body is `body`."""
    name = ""
    for part in place[1:]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name or str(place[0] if place else "body")


def problem_of(detail: Detail) -> Problem:
    place = detail["loc"][:1] if detail["type"] == "json_invalid" else detail["loc"]
    return Problem(name_of(place), reason_of(detail))


def bad_input_of(details: Iterable[Detail]) -> BadInput:
    """Everything that is wrong, each thing once."""
    return BadInput(dict.fromkeys(problem_of(detail) for detail in details))
