"""The compiler: a syntax tree to closures over one evaluation's state.

A closure takes the state and `this`, the value that bare names are read from: the event itself
(`EVENT`), or an element within a selection or projection. A failure gets its place from the
closure that it passes first.
"""

from collections.abc import Callable, Mapping
from typing import Any

from grnry.expressions import syntax, values
from grnry.expressions.arithmetic import BINARY, UNARY, constant_pattern, matched_text
from grnry.expressions.budget import State
from grnry.expressions.errors import Fault, Source, nearest
from grnry.expressions.functions import FUNCTIONS
from grnry.expressions.paths import EVENT, PathCompiler, event, read_property

Closure = Callable[[State, Any], Any]

VARIABLES: Mapping[str, Closure] = {
    "payload": lambda state, this: state.payload,
    "headers": lambda state, this: state.headers,
}


def compile_node(source: Source, node: syntax.Node) -> Closure:
    return _Compiler(source).closure(node, within=False)


class _Compiler:
    """Compiles nodes; `within` tells whether a selection or projection surrounds them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._paths = PathCompiler(source, self.closure)

    def closure(self, node: syntax.Node, within: bool) -> Closure:
        compile_one: Callable[[Any, bool], Closure] = getattr(
            self, f"_{type(node).__name__.lower()}"
        )
        return compile_one(node, within)

    def _closures(self, nodes: tuple[syntax.Node, ...], within: bool) -> tuple[Closure, ...]:
        return tuple(self.closure(node, within) for node in nodes)

    def _constant(self, node: syntax.Constant, within: bool) -> Closure:
        value = node.value
        return lambda state, this: value

    def _name(self, node: syntax.Name, within: bool) -> Closure:
        name = node.name
        if not within:
            if name not in VARIABLES:
                raise self._unknown_name(node)
            return VARIABLES[name]
        if name == "class":
            raise self._source.syntax_error(node.at, "reflection is not allowed: 'class'")
        source, at = self._source, node.at

        def read(state: State, this: Any) -> Any:
            try:
                return read_property(this, name)
            except Fault as fault:
                raise source.error(at, fault.message) from None

        return read

    def _unknown_name(self, node: syntax.Name) -> Exception:
        expected = nearest(node.name, VARIABLES)
        if node.name in FUNCTIONS:
            expected = FUNCTIONS[node.name].signature
        return self._source.syntax_error(node.at, f"unknown name '{node.name}'", expected)

    def _variable(self, node: syntax.Variable, within: bool) -> Closure:
        if node.name == "root":
            return lambda state, this: event(state)
        if node.name == "this":
            return lambda state, this: event(state) if this is EVENT else this
        hint = nearest(node.name, FUNCTIONS, prefix="#")
        if node.name in VARIABLES:
            hint = f"{node.name}, or #root.{node.name} within a selection"
        elif node.name in FUNCTIONS:
            hint = FUNCTIONS[node.name].signature
        raise self._source.syntax_error(node.at, f"unknown variable '#{node.name}'", hint)

    def _call(self, node: syntax.Call, within: bool) -> Closure:
        function = FUNCTIONS.get(node.name)
        if function is None:
            hint = nearest(node.name, FUNCTIONS, prefix="#")
            raise self._source.syntax_error(node.at, f"unknown function '#{node.name}'", hint)
        if len(node.arguments) != function.arity:
            count = len(node.arguments)
            raise self._source.syntax_error(
                node.at,
                f"'#{node.name}' does not take {count} argument{'s' if count != 1 else ''}",
                function.signature,
            )
        last = node.arguments[-1] if node.arguments else None
        if function.bind and isinstance(last, syntax.Constant) and isinstance(last.value, str):
            return self._bound_call(node, function.bind, last, within)
        return self._plain_call(node, function.call, within)

    def _bound_call(
        self, node: syntax.Call, bind: Any, constant: syntax.Constant, within: bool
    ) -> Closure:
        source, at = self._source, node.at
        try:
            call = bind(constant.value)
        except Fault as fault:
            raise source.syntax_error(constant.at, fault.message) from None
        argument = self.closure(node.arguments[0], within)

        def run(state: State, this: Any) -> Any:
            try:
                return call(argument(state, this), state)
            except Fault as fault:
                raise source.error(at, fault.message) from None

        return run

    def _plain_call(self, node: syntax.Call, call: Callable[..., Any], within: bool) -> Closure:
        source, at = self._source, node.at
        arguments = self._closures(node.arguments, within)

        def run(state: State, this: Any) -> Any:
            try:
                return call(state, *[argument(state, this) for argument in arguments])
            except Fault as fault:
                raise source.error(at, fault.message) from None

        return run

    def _listof(self, node: syntax.ListOf, within: bool) -> Closure:
        elements = self._closures(node.elements, within)
        return lambda state, this: [element(state, this) for element in elements]

    def _mapof(self, node: syntax.MapOf, within: bool) -> Closure:
        source, at = self._source, node.at
        entries = tuple(
            (self._key(key, within), self.closure(value, within)) for key, value in node.entries
        )

        def run(state: State, this: Any) -> Any:
            pairs = [(key(state, this), value(state, this)) for key, value in entries]
            for key, _ in pairs:
                if not isinstance(key, str | int | float):
                    raise source.error(at, "the key of an object is a string")
            return {values.text(key, state): value for key, value in pairs}

        return run

    def _key(self, node: syntax.Node, within: bool) -> Closure:
        if isinstance(node, syntax.Name):
            name = node.name
            return lambda state, this: name
        return self.closure(node, within)

    def _unary(self, node: syntax.Unary, within: bool) -> Closure:
        source, at = self._source, node.at
        operand, operate = self.closure(node.operand, within), UNARY[node.symbol]

        def run(state: State, this: Any) -> Any:
            try:
                return operate(operand(state, this))
            except Fault as fault:
                raise source.error(at, fault.message) from None

        return run

    def _operation(self, node: syntax.Operation, within: bool) -> Closure:
        first = self.closure(node.first, within)
        if node.rest[0][0] in {"&&", "||"}:
            operands = (node.first, *(operand for _, _, operand in node.rest))
            conditions = tuple(self._condition(operand, within) for operand in operands)
            joined = all if node.rest[0][0] == "&&" else any
            return lambda state, this: joined(condition(state, this) for condition in conditions)
        if node.rest[0][0] == "matches" and isinstance(node.rest[0][2], syntax.Constant):
            return self._constant_pattern(node.rest[0][1], first, node.rest[0][2])
        rest = tuple(
            (BINARY[symbol], at, self.closure(operand, within)) for symbol, at, operand in node.rest
        )
        source = self._source

        def run(state: State, this: Any) -> Any:
            value = first(state, this)
            at = 0
            try:
                for operate, at, operand in rest:  # noqa: B007 - the fault's place
                    value = operate(value, operand(state, this), state)
            except Fault as fault:
                raise source.error(at, fault.message) from None
            return value

        return run

    def _constant_pattern(self, at: int, left: Closure, constant: syntax.Constant) -> Closure:
        source = self._source
        try:
            pattern = constant_pattern(constant.value)
        except Fault as fault:
            raise source.syntax_error(constant.at, fault.message) from None

        def run(state: State, this: Any) -> bool:
            value = left(state, this)
            try:
                return pattern.matches(matched_text(value, state), state)
            except Fault as fault:
                raise source.error(at, fault.message) from None

        return run

    def _condition(self, node: syntax.Node, within: bool) -> Closure:
        source, at = self._source, node.at
        condition = self.closure(node, within)

        def run(state: State, this: Any) -> bool:
            value = condition(state, this)
            if value is True or value is False:
                return bool(value)
            try:
                return values.boolean(value)
            except Fault as fault:
                raise source.error(at, fault.message) from None

        return run

    def _ternary(self, node: syntax.Ternary, within: bool) -> Closure:
        condition = self._condition(node.condition, within)
        then = self.closure(node.then, within)
        otherwise = self.closure(node.otherwise, within)
        return lambda state, this: (
            then(state, this) if condition(state, this) else otherwise(state, this)
        )

    def _elvis(self, node: syntax.Elvis, within: bool) -> Closure:
        value, otherwise = self.closure(node.value, within), self.closure(node.otherwise, within)

        def run(state: State, this: Any) -> Any:
            found = value(state, this)
            return otherwise(state, this) if found is None or found == "" else found

        return run

    def _path(self, node: syntax.Path, within: bool) -> Closure:
        return self._paths.closure(node, within)
