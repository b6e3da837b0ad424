"""The methods that an expression may call on a value, by the value's type.

They are Java's methods of the same name. Arguments are converted as Spring converts them: a
number where a string is due is written, a string where a number is due is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from grnry.expressions import values
from grnry.expressions.arithmetic import matches
from grnry.expressions.budget import MAX_REPEATED_LENGTH, MAX_TEXT_LENGTH, State
from grnry.expressions.errors import Fault
from grnry.expressions.splitting import replace_all, replace_first, split

Parameter = Literal["string", "integer", "any"]
# What Java's trim() takes away: all characters up to the blank.
CONTROLS = "".join(map(chr, range(33)))


@dataclass(frozen=True, slots=True)
class Method:
    call: Callable[..., Any]
    parameters: tuple[Parameter, ...] = ()
    optional: int = 0

    def takes(self, count: int) -> bool:
        return len(self.parameters) - self.optional <= count <= len(self.parameters)


def convert(parameter: Parameter, value: Any, state: State) -> Any:
    if parameter == "any":
        return value
    if value is None:
        raise Fault("an argument is null")
    return values.integer(value) if parameter == "integer" else values.converted_text(value, state)


def kind(value: Any) -> str:
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "list"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, values.Entry):
        return "entry"
    return "boolean" if isinstance(value, bool) else "number"


def _substring(state: State, text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= last <= len(text):
        raise Fault(f"characters {start} to {last} are not in a text of {len(text)}")
    return text[start:last]


def _char_at(state: State, text: str, at: int) -> str:
    if not 0 <= at < len(text):
        raise Fault(f"a text of {len(text)} has no character {at}")
    return text[at]


def _index_of(state: State, text: str, part: str, start: int = 0) -> int:
    # A start beyond the end finds the empty text at the end, in Java.
    return text.find(part, min(max(start, 0), len(text)))


def _last_index_of(state: State, text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(part)
    return text.rfind(part, 0, start + len(part)) if start >= 0 else -1


def _starts_with(state: State, text: str, prefix: str, start: int = 0) -> bool:
    return 0 <= start <= len(text) and text.startswith(prefix, start)


def _replace(state: State, text: str, old: str, new: str) -> str:
    if len(new) > len(old) and len(text) + text.count(old) * (len(new) - len(old)) > max(
        MAX_TEXT_LENGTH, len(text)
    ):
        raise Fault(f"the text is longer than {MAX_TEXT_LENGTH:,} characters")
    return text.replace(old, new)


def _concat(state: State, text: str, other: str) -> str:
    if len(text) + len(other) > max(MAX_TEXT_LENGTH, len(text)):
        raise Fault(f"the text is longer than {MAX_TEXT_LENGTH:,} characters")
    return text + other


def _repeat(state: State, text: str, times: int) -> str:
    if times < 0 or len(text) * times > MAX_REPEATED_LENGTH:
        raise Fault(f"a repeated text has from 0 to {MAX_REPEATED_LENGTH} characters")
    return text * times


def _compare_to(state: State, left: Any, right: Any) -> int:
    if right is None:
        raise Fault("an argument is null")
    if isinstance(left, str):
        return _compare_texts(left, values.converted_text(right, state))
    if not (values.rank(left) and values.rank(right)) and type(left) is not type(right):
        raise Fault(f"{values.type_name(left)} is of another type than {values.type_name(right)}")
    return values.compare(left, right)


def _compare_texts(left: str, right: str) -> int:
    for one, other in zip(left, right, strict=False):
        if one != other:
            return ord(one) - ord(other)
    return len(left) - len(right)


def _same(state: State, left: Any, right: Any) -> bool:
    return values.same(left, right, state)


def _same_but_case(state: State, left: str, right: Any) -> bool:
    same_length = isinstance(right, str) and len(left) == len(right)
    return same_length and left.upper().lower() == right.upper().lower()


def _contains(state: State, elements: list[Any], wanted: Any) -> bool:
    return any(values.same(wanted, element, state) for element in elements)


def _position(state: State, elements: list[Any], wanted: Any) -> int:
    places = (at for at, element in enumerate(elements) if values.same(wanted, element, state))
    return next(places, -1)


def _last_position(state: State, elements: list[Any], wanted: Any) -> int:
    backwards = _position(state, elements[::-1], wanted)
    return len(elements) - 1 - backwards if backwards >= 0 else -1


def _element(state: State, elements: list[Any], at: int) -> Any:
    if not 0 <= at < len(elements):
        raise Fault(f"a list of {len(elements)} has no element {at}")
    return elements[at]


def _value_of(state: State, entries: dict[Any, Any], key: Any, default: Any = None) -> Any:
    return entries.get(key, default) if isinstance(key, str | int | float | None) else default


def _size(state: State, value: Any) -> int:
    return len(value)


def _is_empty(state: State, value: Any) -> bool:
    return not value


def _to_string(state: State, value: Any) -> str:
    return values.text(value, state)


EQUALS = Method(_same, ("any",))
TO_STRING = Method(_to_string)
ANY = {"equals": EQUALS, "toString": TO_STRING}

STRING = {
    **ANY,
    "startsWith": Method(_starts_with, ("string", "integer"), optional=1),
    "endsWith": Method(lambda state, text, end: text.endswith(end), ("string",)),
    "contains": Method(lambda state, text, part: part in text, ("string",)),
    "substring": Method(_substring, ("integer", "integer"), optional=1),
    "charAt": Method(_char_at, ("integer",)),
    "toUpperCase": Method(lambda state, text: text.upper()),
    "toLowerCase": Method(lambda state, text: text.lower()),
    "trim": Method(lambda state, text: text.strip(CONTROLS)),
    "strip": Method(lambda state, text: text.strip()),
    "replace": Method(_replace, ("string", "string")),
    "replaceAll": Method(replace_all, ("string", "string")),
    "replaceFirst": Method(replace_first, ("string", "string")),
    "split": Method(split, ("string", "integer"), optional=1),
    "matches": Method(lambda state, text, pattern: matches(text, pattern, state), ("string",)),
    "length": Method(_size),
    "indexOf": Method(_index_of, ("string", "integer"), optional=1),
    "lastIndexOf": Method(_last_index_of, ("string", "integer"), optional=1),
    "equalsIgnoreCase": Method(_same_but_case, ("any",)),
    "compareTo": Method(_compare_to, ("any",)),
    "concat": Method(_concat, ("string",)),
    "repeat": Method(_repeat, ("integer",)),
    "isEmpty": Method(_is_empty),
    "isBlank": Method(lambda state, text: not text.strip()),
}
NUMBER = {
    **ANY,
    "compareTo": Method(_compare_to, ("any",)),
    "intValue": Method(lambda state, number: values.int_value(number)),
    "longValue": Method(lambda state, number: values.long_value(number)),
    "doubleValue": Method(lambda state, number: values.double(number)),
}
LIST = {
    **ANY,
    "size": Method(_size),
    "isEmpty": Method(_is_empty),
    "contains": Method(_contains, ("any",)),
    "indexOf": Method(_position, ("any",)),
    "lastIndexOf": Method(_last_position, ("any",)),
    "get": Method(_element, ("integer",)),
}
OBJECT = {
    **ANY,
    "size": Method(_size),
    "isEmpty": Method(_is_empty),
    "containsKey": Method(
        lambda state, entries, key: isinstance(key, str) and key in entries, ("any",)
    ),
    "containsValue": Method(
        lambda state, entries, wanted: _contains(state, list(entries.values()), wanted), ("any",)
    ),
    "get": Method(_value_of, ("any",)),
    "getOrDefault": Method(_value_of, ("any", "any")),
    "keySet": Method(lambda state, entries: list(entries)),
    "values": Method(lambda state, entries: list(entries.values())),
}
ENTRY = {
    **ANY,
    "getKey": Method(lambda state, entry: entry.key),
    "getValue": Method(lambda state, entry: entry.value),
}
METHODS: dict[str, dict[str, Method]] = {
    "string": STRING,
    "number": NUMBER,
    "boolean": {**ANY, "compareTo": Method(_compare_to, ("any",))},
    "list": LIST,
    "object": OBJECT,
    "entry": ENTRY,
}
METHOD_NAMES = frozenset(name for methods in METHODS.values() for name in methods)


def cost(value: Any, state: State) -> None:
    """Pay for a method's work: by the length of a text, by the size of a container."""
    if isinstance(value, str):
        state.read(value)
    elif isinstance(value, list | dict):
        state.spend(1 + len(value) // 8)


def call(name: str, receiver: Any, arguments: list[Any], state: State) -> Any:
    methods = METHODS[kind(receiver)]
    method = methods.get(name)
    if method is None:
        raise Fault(f"{values.type_name(receiver)} has no method '{name}'")
    if not method.takes(len(arguments)):
        raise Fault(f"'{name}' does not take {len(arguments)} arguments")
    cost(receiver, state)
    converted = [
        convert(parameter, argument, state)
        for parameter, argument in zip(method.parameters, arguments, strict=False)
    ]
    return method.call(state, receiver, *converted)
