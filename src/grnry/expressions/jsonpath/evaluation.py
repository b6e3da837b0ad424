"""The evaluation of a JSON path: what it finds in a document, in the order of the document.

As in Jayway, a definite path gives one value and fails where it is missing; an indefinite one
(a wildcard, a scan, a filter, a slice, several indexes) gives a list, which may be empty.
"""

from collections.abc import Callable, Iterator
from typing import Any

from grnry.expressions.budget import State
from grnry.expressions.errors import MissingFault
from grnry.expressions.jsonpath.functions import FUNCTIONS
from grnry.expressions.jsonpath.parser import parse_path
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
    is_definite,
)

JsonPath = Callable[[Any, State], Any]


def compile_path(text: str) -> JsonPath:
    """The path as a function of a document."""
    path = parse_path(text)
    keys = _plain_keys(path)
    if keys is not None:
        return _plain(text, keys)

    def read(document: Any, state: State) -> Any:
        return evaluate(path, document, document, state)

    return read


def _plain_keys(path: Path) -> tuple[str | int, ...] | None:
    """The keys of a path of single names and indexes; None for any other."""
    keys: list[str | int] = []
    for token in path.tokens:
        if isinstance(token, Properties) and len(token.names) == 1:
            keys.append(token.names[0])
        elif isinstance(token, Indexes) and len(token.indexes) == 1:
            keys.append(token.indexes[0])
        else:
            return None
    return tuple(keys)


def _plain(text: str, keys: tuple[str | int, ...]) -> JsonPath:
    typed_keys: tuple[tuple[Any, Any], ...] = tuple(
        (dict if isinstance(key, str) else list, key) for key in keys
    )
    missing = f"there is nothing at '{text}'"

    def read(document: Any, state: State) -> Any:
        value = document
        try:
            for container, key in typed_keys:
                if type(value) is not container:
                    raise MissingFault(missing)
                value = value[key]
        except LookupError:
            raise MissingFault(missing) from None
        return value

    return read


def evaluate(path: Path, document: Any, root: Any, state: State, *, strict: bool = False) -> Any:
    """What the path finds; `strict` has a missing property fail in an indefinite path too."""
    walk = _Walk(path.tokens, root, state, strict)
    walk.visit(0, document, certain=True)
    if not path.is_definite:
        return walk.found
    if not walk.found:
        raise MissingFault("there is nothing at the path")
    return walk.found[-1]


class _Walk:
    def __init__(self, tokens: tuple[Token, ...], root: Any, state: State, strict: bool) -> None:
        self._tokens = tokens
        self._root = root
        self._state = state
        self._strict = strict
        self.found: list[Any] = []

    def visit(self, at: int, model: Any, certain: bool) -> None:
        """Apply the tokens from `at` on; `certain` where all tokens before are definite."""
        self._state.spend(1)
        if at == len(self._tokens):
            self.found.append(model)
            return
        token = self._tokens[at]
        if isinstance(token, Properties):
            self._properties(token, at, model, certain)
        elif isinstance(token, Indexes | Slice):
            self._elements(token, at, model, certain)
        elif isinstance(token, Wildcard):
            self._wildcard(at, model)
        elif isinstance(token, Scan):
            self._scan(at, model)
        elif isinstance(token, Filter):
            self._filter(token, at, model, certain)
        else:
            self._function(token, at, model, certain)

    def _missing(self, certain: bool) -> None:
        if certain:
            raise MissingFault("there is nothing at the path")

    def _properties(self, token: Properties, at: int, model: Any, certain: bool) -> None:
        if not isinstance(model, dict):
            self._missing(certain)
            return
        is_last = at == len(self._tokens) - 1
        if len(token.names) > 1 and is_last:
            self.found.append({name: model[name] for name in token.names if name in model})
            return
        certain = certain and len(token.names) == 1
        for name in token.names:
            if name in model:
                self.visit(at + 1, model[name], certain)
            else:
                self._missing(self._strict or (certain and not is_last))

    def _elements(self, token: Indexes | Slice, at: int, model: Any, certain: bool) -> None:
        if not isinstance(model, list):
            self._missing(certain)
            return
        size = len(model)
        indexes = token.indexes if isinstance(token, Indexes) else token.indexes(size)
        certain = certain and is_definite(token, False)
        for index in indexes:
            if -size <= index < size:
                self.visit(at + 1, model[index], certain)

    def _wildcard(self, at: int, model: Any) -> None:
        if isinstance(model, dict):
            for value in model.values():
                self.visit(at + 1, value, certain=False)
        elif isinstance(model, list):
            for value in model:
                self._visit_leniently(at + 1, value)

    def _visit_leniently(self, at: int, model: Any) -> None:
        try:
            self.visit(at, model, certain=False)
        except MissingFault:
            if self._strict:
                raise

    def _scan(self, at: int, model: Any) -> None:
        token = self._tokens[at + 1]
        for candidate in self._descendants(model):
            if self._takes(token, candidate):
                self.visit(at + 1, candidate, certain=False)

    def _descendants(self, model: Any) -> Iterator[Any]:
        """The lists and objects of a document, each before what it contains."""
        waiting = [model]
        while waiting:
            candidate = waiting.pop()
            self._state.spend(1)
            if isinstance(candidate, dict):
                yield candidate
                waiting.extend(reversed(list(candidate.values())))
            elif isinstance(candidate, list):
                yield candidate
                waiting.extend(reversed(candidate))

    def _takes(self, token: Token, candidate: Any) -> bool:
        if isinstance(token, Properties):
            if not isinstance(candidate, dict):
                return False
            is_last = token is self._tokens[-1]
            return not is_definite(token, is_last) or all(name in candidate for name in token.names)
        if isinstance(token, Filter):
            return token.accepts(candidate, self._root, self._state)
        return isinstance(token, Wildcard) or isinstance(candidate, list)

    def _filter(self, token: Filter, at: int, model: Any, certain: bool) -> None:
        if isinstance(model, dict):
            if token.accepts(model, self._root, self._state):
                self.visit(at + 1, model, certain=False)
        elif isinstance(model, list):
            for element in model:
                self._state.spend(1)
                if token.accepts(element, self._root, self._state):
                    self.visit(at + 1, element, certain=False)
        else:
            self._missing(certain)

    def _function(self, token: Function, at: int, model: Any, certain: bool) -> None:
        arguments = [self._argument(token, argument, model) for argument in token.arguments]
        result = FUNCTIONS[token.name](model, arguments, self._state)
        self.found.append(result)
        if at < len(self._tokens) - 1:
            self.visit(at + 1, result, certain)

    def _argument(self, token: Function, argument: Path | JsonValue, model: Any) -> Any:
        if isinstance(argument, JsonValue):
            return argument.value
        if token.name not in {"length", "size"}:
            return evaluate(argument, self._root, self._root, self._state)
        ends_in_function = argument.tokens and isinstance(argument.tokens[-1], Function)
        if argument.tokens and not ends_in_function:
            argument = Path(argument.from_root, (*argument.tokens, Wildcard()))
        return evaluate(argument, model, model, self._state)
