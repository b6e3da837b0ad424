"""The links of a path: properties, methods, indexes, selections and projections.

Each link is a closure over the state, `this` and the value before it.
"""

from collections.abc import Callable, Iterator
from typing import Any

from grnry.expressions import methods, syntax, values
from grnry.expressions.budget import State
from grnry.expressions.errors import Fault, Source, nearest
from grnry.expressions.functions import FUNCTIONS
from grnry.expressions.patterns import compiled

Closure = Callable[[State, Any], Any]
Link = Callable[[State, Any, Any], Any]

# `this` outside of selections and projections.
EVENT = object()
PATTERN_METHODS = frozenset({"matches", "split", "replaceAll", "replaceFirst"})
REFLECTIVE = frozenset({"getClass", "hashCode", "notify", "notifyAll", "wait", "forName"})


def event(state: State) -> dict[str, Any]:
    """The event as the object that `#root` is."""
    return {"payload": state.payload, "headers": state.headers}


def read_property(value: Any, name: str) -> Any:
    if type(value) is dict:
        return value.get(name)
    if value is None:
        raise Fault(f"'{name}' can not be read from null; '?.{name}' gives null instead")
    if isinstance(value, values.Entry) and name in {"key", "value"}:
        return value.key if name == "key" else value.value
    if isinstance(value, list) and name == "length":
        return len(value)
    raise Fault(f"{values.type_name(value)} has no property '{name}'")


def read_index(value: Any, index: Any) -> Any:
    if index is None:
        raise Fault("the index is null")
    if type(value) is dict:
        return value.get(index) if isinstance(index, str) else None
    if not isinstance(value, list | str):
        raise Fault(f"{values.type_name(value)} has no index")
    at = values.integer(index)
    if not 0 <= at < len(value):
        raise Fault(f"{values.type_name(value)} of {len(value)} has no index {at}")
    return value[at]


def elements(value: Any, what: str) -> Iterator[Any]:
    if isinstance(value, list):
        return iter(value)
    if isinstance(value, dict):
        return (values.Entry(key, element) for key, element in value.items())
    raise Fault(f"{values.type_name(value)} has no elements for a {what}")


class PathCompiler:
    """Compiles paths; `closure` compiles the expressions within them."""

    def __init__(self, source: Source, closure: Callable[[syntax.Node, bool], Closure]) -> None:
        self._source = source
        self._closure = closure

    def closure(self, node: syntax.Path, within: bool) -> Closure:
        first = node.steps[0]
        is_bare = isinstance(node.start, syntax.Variable) and node.start.at == first.at
        if isinstance(first, syntax.Method) and is_bare and not within:
            raise self._bare_call(first)
        start = self._closure(node.start, within)
        links = tuple(self._located(step, within) for step in node.steps)
        if len(links) == 1:
            link = links[0]
            return lambda state, this: link(state, this, start(state, this))

        def run(state: State, this: Any) -> Any:
            value = start(state, this)
            for link in links:
                value = link(state, this, value)
            return value

        return run

    def _bare_call(self, node: syntax.Method) -> Exception:
        hint = nearest(node.name, FUNCTIONS, prefix="#")
        return self._source.syntax_error(node.at, f"unknown function '{node.name}'", hint)

    def _located(self, step: syntax.Step, within: bool) -> Link:
        """The link with its place for failures and, where it is safe, null on null."""
        source, at, safe = self._source, step.at, step.safe
        if isinstance(step, syntax.Property):
            return self._property(step)
        link = self._link(step, within)

        def run(state: State, this: Any, value: Any) -> Any:
            if value is None and safe:
                return None
            try:
                return link(state, this, value)
            except Fault as fault:
                raise source.error(at, fault.message) from None

        return run

    def _property(self, step: syntax.Property) -> Link:
        source, at, name, safe = self._source, step.at, step.name, step.safe

        def run(state: State, this: Any, value: Any) -> Any:
            if type(value) is dict:
                return value.get(name)
            if value is None and safe:
                return None
            try:
                return read_property(value, name)
            except Fault as fault:
                raise source.error(at, fault.message) from None

        return run

    def _link(self, step: syntax.Step, within: bool) -> Link:
        if isinstance(step, syntax.Method):
            return self._method(step, within)
        if isinstance(step, syntax.Index):
            return self._index(step)
        if isinstance(step, syntax.Selection):
            return self._selection(step)
        assert isinstance(step, syntax.Projection)
        return self._projection(step)

    def _method(self, step: syntax.Method, within: bool) -> Link:
        self._check_method(step)
        name = step.name
        arguments = tuple(self._closure(argument, within) for argument in step.arguments)

        def run(state: State, this: Any, value: Any) -> Any:
            given = [argument(state, this) for argument in arguments]
            if value is None:
                raise Fault(f"'{name}' can not be called on null; '?.{name}(…)' gives null instead")
            return methods.call(name, value, given, state)

        return run

    def _check_method(self, step: syntax.Method) -> None:
        name, count = step.name, len(step.arguments)
        if name in REFLECTIVE:
            raise self._source.syntax_error(step.at, f"reflection is not allowed: '{name}'")
        if name not in methods.METHOD_NAMES:
            hint = nearest(name, methods.METHOD_NAMES)
            raise self._source.syntax_error(step.at, f"unknown method '{name}'", hint)
        self._check_pattern(step)
        known = [table[name] for table in methods.METHODS.values() if name in table]
        if not any(method.takes(count) for method in known):
            raise self._source.syntax_error(
                step.at,
                f"'{name}' does not take {count} argument{'s' if count != 1 else ''}",
                _counts(known[0]),
            )

    def _check_pattern(self, step: syntax.Method) -> None:
        """A constant pattern is checked before there is an event."""
        first = step.arguments[0] if step.arguments else None
        if step.name not in PATTERN_METHODS or not isinstance(first, syntax.Constant):
            return
        try:
            compiled(str(first.value))
        except Fault as fault:
            raise self._source.syntax_error(first.at, fault.message) from None

    def _index(self, step: syntax.Index) -> Link:
        """The index is read from the event, except that a bare name is an object's key."""
        node = step.index
        if not isinstance(node, syntax.Name):
            index = self._closure(node, False)
            return lambda state, this, value: read_index(_not_null(value), index(state, EVENT))
        name = node.name
        variable = self._closure(node, False) if name in {"payload", "headers"} else None

        def by_name(state: State, this: Any, value: Any) -> Any:
            if type(_not_null(value)) is dict:
                return value.get(name)
            if variable is None:
                raise Fault(f"unknown name '{name}'; a key is written in quotes")
            return read_index(value, variable(state, EVENT))

        return by_name

    def _selection(self, step: syntax.Selection) -> Link:
        criterion = self._closure(step.criterion, True)
        which, weight = step.which, syntax.weight(step.criterion)

        def chosen(state: State, value: Any) -> Iterator[Any]:
            for element in elements(value, "selection"):
                state.spend(weight)
                verdict = criterion(state, element)
                if not isinstance(verdict, bool):
                    raise Fault(f"a selection needs true or false, not {values.type_name(verdict)}")
                if verdict:
                    yield element

        def run(state: State, this: Any, value: Any) -> Any:
            if which == "first":
                found = next(chosen(state, value), None)
                return _as_object(found)
            every = list(chosen(state, value))
            if which == "last":
                return _as_object(every[-1]) if every else None
            if isinstance(value, dict):
                return {entry.key: entry.value for entry in every}
            return every

        return run

    def _projection(self, step: syntax.Projection) -> Link:
        body, weight = self._closure(step.body, True), syntax.weight(step.body)

        def run(state: State, this: Any, value: Any) -> Any:
            projected = []
            for element in elements(value, "projection"):
                state.spend(weight)
                projected.append(body(state, element))
            return projected

        return run


def _not_null(value: Any) -> Any:
    if value is None:
        raise Fault("null has no index; '?.[…]' gives null instead")
    return value


def _as_object(found: Any) -> Any:
    return {found.key: found.value} if isinstance(found, values.Entry) else found


def _counts(method: methods.Method) -> str:
    most = len(method.parameters)
    least = most - method.optional
    return f"{least} or {most}" if least != most else str(most)
