"""The conditions in `[?(…)]`: their parser and their comparisons, by Jayway's rules."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grnry.expressions.budget import MAX_NESTING, State
from grnry.expressions.errors import MissingFault
from grnry.expressions.jsonpath.comparisons import COMPARISONS, UNDEFINED, Pattern
from grnry.expressions.jsonpath.reader import Reader
from grnry.expressions.jsonpath.tokens import JsonValue, Path, Predicate

OPERATOR_CHARACTERS = "<>=~!"
NUMBER_CHARACTERS = frozenset("0123456789-+.eE")
WORDS = {"true": True, "false": False, "null": None}

Operand = Path | JsonValue


@dataclass(frozen=True, slots=True)
class AllOf(Predicate):
    parts: tuple[Predicate, ...]

    def holds(self, element: Any, root: Any, state: State) -> bool:
        return all(part.holds(element, root, state) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf(Predicate):
    parts: tuple[Predicate, ...]

    def holds(self, element: Any, root: Any, state: State) -> bool:
        return any(part.holds(element, root, state) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not(Predicate):
    part: Predicate

    def holds(self, element: Any, root: Any, state: State) -> bool:
        return not self.part.holds(element, root, state)


@dataclass(frozen=True, slots=True)
class Exists(Predicate):
    path: Path

    def holds(self, element: Any, root: Any, state: State) -> bool:
        from grnry.expressions.jsonpath.evaluation import evaluate

        document = root if self.path.from_root else element
        try:
            evaluate(self.path, document, root, state, strict=True)
        except MissingFault:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Comparison(Predicate):
    left: Operand
    compare: Callable[[Any, Any, State], bool]
    right: Operand

    def holds(self, element: Any, root: Any, state: State) -> bool:
        state.spend(1)
        left = _operand(self.left, element, root, state)
        right = _operand(self.right, element, root, state)
        return self.compare(left, right, state)


def _operand(operand: Operand, element: Any, root: Any, state: State) -> Any:
    from grnry.expressions.jsonpath.evaluation import evaluate

    if isinstance(operand, JsonValue):
        return operand.value
    try:
        return evaluate(operand, root if operand.from_root else element, root, state)
    except MissingFault:
        return UNDEFINED


class FilterParser:
    """Reads a condition from the cursor on, up to the bracket that closes it."""

    def __init__(self, reader: Reader, nesting: int) -> None:
        self._reader = reader
        self._nesting = nesting

    def condition(self) -> Predicate:
        parts = [self._conjunction()]
        while self._accept("||"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _accept(self, symbol: str) -> bool:
        self._reader.skip_blanks()
        return self._reader.accept(symbol)

    def _conjunction(self) -> Predicate:
        parts = [self._part()]
        while self._accept("&&"):
            parts.append(self._part())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _part(self) -> Predicate:
        reader = self._reader
        reader.skip_blanks()
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise reader.fault(f"the filter nests deeper than {MAX_NESTING} levels")
        if reader.accept("!"):
            part: Predicate = Not(self._part())
        elif reader.accept("("):
            part = self.condition()
            reader.expect(")")
        else:
            part = self._comparison()
        self._nesting -= 1
        return part

    def _comparison(self) -> Predicate:
        reader = self._reader
        left = self._operand()
        reader.skip_blanks()
        start = reader.at
        operator = self._operator()
        if operator not in COMPARISONS:
            reader.at = start
            if isinstance(left, Path):
                return Exists(left)
            raise reader.fault(f"an operator is expected, one of {', '.join(COMPARISONS)}")
        return Comparison(left, COMPARISONS[operator], self._operand())

    def _operator(self) -> str:
        reader = self._reader
        start = reader.at
        symbolic = reader.character and reader.character in OPERATOR_CHARACTERS
        while reader.character and reader.character != " ":
            if symbolic and reader.character not in OPERATOR_CHARACTERS:
                break
            reader.at += 1
        return reader.text[start : reader.at].lower()

    def _operand(self) -> Operand:
        reader = self._reader
        reader.skip_blanks()
        if reader.character in {"$", "@"}:
            return self._path()
        return JsonValue(self._literal())

    def _literal(self) -> Any:
        reader = self._reader
        if reader.character in {"'", '"'}:
            return reader.quoted()
        if reader.character in {"{", "["}:
            return self._json()
        if reader.character == "/":
            return self._pattern()
        for word, value in WORDS.items():
            if reader.accept(word):
                return value
        return self._number()

    def _json(self) -> Any:
        from grnry.expressions.jsonpath.parser import json_value

        reader = self._reader
        start = reader.at
        reader.at = reader.closing(*("{}" if reader.character == "{" else "[]")) + 1
        return json_value(reader.text[start : reader.at])

    def _number(self) -> float:
        reader = self._reader
        start = reader.at
        while reader.character in NUMBER_CHARACTERS:
            reader.at += 1
        text = reader.text[start : reader.at]
        try:
            return int(text) if text.removeprefix("-").isdigit() else float(text)
        except ValueError:
            reader.at = start
            raise reader.fault("a value is expected") from None

    def _pattern(self) -> Pattern:
        reader = self._reader
        start = end = reader.at + 1
        while reader.text[end : end + 1] != "/":
            end += 2 if reader.text[end : end + 1] == "\\" else 1
            if end >= len(reader.text):
                raise reader.fault("the pattern has no closing '/'")
        reader.at = end + 1
        while reader.character and reader.character in "idmsuxU":
            reader.at += 1
        return Pattern.of(reader.text[start:end], reader.text[end + 1 : reader.at])

    def _path(self) -> Path:
        from grnry.expressions.jsonpath.parser import parse_path

        reader = self._reader
        start = reader.at
        reader.at += 1
        while reader.character:
            if reader.character == "[":
                reader.at = reader.closing("[", "]") + 1
            elif reader.character == "(" and reader.text[reader.at + 1 :].lstrip()[:1] == ")":
                reader.at = reader.closing("(", ")") + 1
            elif reader.character in " )" + OPERATOR_CHARACTERS:
                break
            else:
                reader.at += 1
        return parse_path(reader.text[start : reader.at], self._nesting)
