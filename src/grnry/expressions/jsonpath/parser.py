"""The parser of JSON paths: text to a `Path`, by Jayway's rules."""

from typing import Any

import msgspec

from grnry.expressions.budget import MAX_NESTING
from grnry.expressions.errors import Fault
from grnry.expressions.jsonpath.functions import FUNCTIONS
from grnry.expressions.jsonpath.reader import Reader
from grnry.expressions.jsonpath.tokens import (
    Filter,
    Function,
    Indexes,
    JsonValue,
    Path,
    Properties,
    Scan,
    Slice,
    Token,
    Wildcard,
)

MAX_PATH_LENGTH = 2_000
MAX_PATH_TOKENS = 100


def parse_path(text: str, nesting: int = 0) -> Path:
    trimmed = text.strip(" ")
    if not trimmed:
        raise Fault("the path is empty")
    if len(trimmed) > MAX_PATH_LENGTH:
        raise Fault(f"the path is longer than {MAX_PATH_LENGTH:,} characters")
    if nesting > MAX_NESTING:
        raise Fault(f"the path nests deeper than {MAX_NESTING} levels")
    if trimmed[0] not in "$@":
        trimmed = f"$.{trimmed}"
    return _PathParser(Reader(trimmed), nesting).path()


class _PathParser:
    def __init__(self, reader: Reader, nesting: int) -> None:
        self._reader = reader
        self._nesting = nesting
        self._tokens: list[Token] = []

    def path(self) -> Path:
        reader = self._reader
        from_root = reader.character == "$"
        reader.at += 1
        while reader.character:
            if reader.character not in ".[":
                raise reader.fault("'.' or '[' is expected")
            self._token()
        if len(self._tokens) > MAX_PATH_TOKENS:
            raise Fault(f"the path has more than {MAX_PATH_TOKENS} parts")
        if self._tokens and isinstance(self._tokens[-1], Scan):
            raise reader.fault("a path does not end with '..'")
        return Path(from_root, _inverted(tuple(self._tokens)))

    def _token(self) -> None:
        reader = self._reader
        if reader.accept(".."):
            self._tokens.append(Scan())
        elif reader.accept("."):
            pass
        if reader.character == "[":
            self._bracket()
        elif reader.accept("*"):
            self._tokens.append(Wildcard())
        else:
            self._name()

    def _name(self) -> None:
        reader = self._reader
        end = reader.at
        while end < len(reader.text) and reader.text[end] not in ".[( ":
            end += 1
        name = reader.text[reader.at : end]
        if not name:
            raise reader.fault("a name is expected")
        reader.at = end
        if reader.character == " ":
            raise reader.fault("a name with blanks is written ['…']")
        if reader.character == "(":
            self._tokens.append(self._function(name))
        else:
            self._tokens.append(Properties((name,)))

    def _function(self, name: str) -> Function:
        reader = self._reader
        if name not in FUNCTIONS:
            raise reader.fault(f"there is no function '{name}': {', '.join(FUNCTIONS)} are")
        end = reader.closing("(", ")")
        inner = reader.text[reader.at + 1 : end]
        reader.at = end + 1
        return Function(name, tuple(self._argument(part) for part in _split(inner)))

    def _argument(self, text: str) -> Path | JsonValue:
        if text[0] in "$@":
            return parse_path(text, self._nesting + 1)
        return JsonValue(json_value(text))

    def _bracket(self) -> None:
        reader = self._reader
        following = reader.significant()
        if following in {"'", '"'}:
            self._tokens.append(self._properties())
        elif following == "*":
            reader.at += 1
            reader.expect("*")
            reader.expect("]")
            self._tokens.append(Wildcard())
        elif following == "?":
            self._tokens.append(self._filter())
        else:
            self._tokens.append(self._array())

    def _properties(self) -> Properties:
        reader = self._reader
        names = []
        while True:
            reader.at += 1
            reader.skip_blanks()
            if reader.character not in {"'", '"'}:
                raise reader.fault("a name in quotes is expected")
            names.append(reader.quoted())
            reader.skip_blanks()
            if reader.character != ",":
                break
        reader.expect("]")
        return Properties(tuple(names))

    def _array(self) -> Indexes | Slice:
        reader = self._reader
        end = reader.closing("[", "]")
        inner = reader.text[reader.at + 1 : end].strip(" ")
        try:
            token = _slice(inner) if ":" in inner else _indexes(inner)
        except ValueError:
            raise reader.fault("a name in quotes, an index, '*' or a filter is expected") from None
        reader.at = end + 1
        return token

    def _filter(self) -> Filter:
        from grnry.expressions.jsonpath.filters import FilterParser

        reader = self._reader
        reader.at += 1
        reader.expect("?")
        reader.expect("(")
        predicate = FilterParser(reader, self._nesting + 1).condition()
        reader.expect(")")
        reader.expect("]")
        return Filter(predicate)


def _number(text: str) -> int:
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
        raise ValueError(text)
    return int(text[:12])


def _indexes(inner: str) -> Indexes:
    return Indexes(tuple(_number(part.strip(" ")) for part in inner.split(",")))


def _slice(inner: str) -> Slice:
    start, _, end = inner.partition(":")
    if not (start or end):
        raise ValueError(inner)
    return Slice(_number(start) if start else None, _number(end) if end else None)


def _split(arguments: str) -> list[str]:
    """The arguments between the commas that no bracket or quote encloses."""
    parts, depth, start, quote = [], 0, 0, ""
    for at, character in enumerate(arguments):
        if quote:
            quote = "" if character == quote and arguments[at - 1] != "\\" else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(arguments[start:at])
            start = at + 1
    parts.append(arguments[start:])
    return [part.strip() for part in parts if part.strip()]


def _inverted(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """`$..a.sum()` as `$.sum($..a)`: the function takes all that the scan finds."""
    if len(tokens) < 2 or not isinstance(tokens[0], Scan):
        return tokens
    last = tokens[-1]
    if not isinstance(last, Function):
        return tokens
    if isinstance(tokens[-2], Scan):
        raise Fault("a function can not follow '..'")
    return (Function(last.name, (Path(True, tokens[:-1]),)),)


def json_value(text: str) -> Any:
    """A JSON value within a path; its strings may have single quotes."""
    try:
        return msgspec.json.decode(_double_quoted(text))
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        raise Fault(f"'{text}' is no JSON value") from None


def _double_quoted(text: str) -> str:
    if "'" not in text:
        return text
    pieces = []
    reader = Reader(text)
    while reader.character:
        if reader.character in {"'", '"'}:
            pieces.append(msgspec.json.encode(reader.quoted()).decode())
        else:
            pieces.append(reader.character)
            reader.at += 1
    return "".join(pieces)
