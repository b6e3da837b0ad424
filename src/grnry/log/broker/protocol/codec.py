"""All requests but Produce and Fetch, by the schemas that kio generates from Kafka's own.

Requests become kio's entities. Responses are mappings with kio's field names, the same for all
versions: what a version does not know is left out, what is not given takes the schema's default.
Schemas are imported at their first use, which keeps start-up short and memory small.
"""

import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from importlib import import_module
from types import NoneType
from typing import Any, get_args, get_origin

from .apis import APIS
from .errors import MalformedRequestError
from .lengths import check_lengths

# kio registers itself with hypothesis where that is installed, which costs 150 ms and 13 MB.
_without_hypothesis = "hypothesis" not in sys.modules
if _without_hypothesis:
    sys.modules["hypothesis"] = None  # type: ignore[assignment]
from kio.serial import entity_reader  # noqa: E402
from kio.serial.errors import SerialError  # noqa: E402

if _without_hypothesis:
    del sys.modules["hypothesis"]

Values = Mapping[str, Any]
Write = Callable[[bytearray, Any], None]


def decode(api_key: int, version: int, frame: memoryview, position: int) -> Any:
    schema = _schema(api_key, version, "request")
    check_lengths(schema, frame, position)
    read = entity_reader(schema)
    try:
        entity, _end = read(bytes(frame[position:]), 0)
    except (SerialError, ValueError, TypeError, OverflowError, LookupError) as error:
        raise MalformedRequestError(f"The body can't be read: {error}") from error
    return entity


def has_forbidden_null(entity: Any) -> bool:
    """A null where the schema has none, which kio's reader lets through."""
    for field in fields(entity):
        value = getattr(entity, field.name)
        if value is None and NoneType not in get_args(field.type):
            return True
        items = value if isinstance(value, tuple) else ()
        if any(is_dataclass(item) and has_forbidden_null(item) for item in items):
            return True
    return False


def encode(api_key: int, version: int, values: Values) -> bytes:
    out = bytearray()
    _entity_writer(_schema(api_key, version, "response"))(out, values)
    return bytes(out)


def milliseconds(value: timedelta) -> int:
    return value // timedelta(milliseconds=1)


@cache
def _schema(api_key: int, version: int, kind: str) -> Any:
    name = APIS[api_key].name
    module = import_module(f"kio.schema.{name}.v{version}.{kind}")
    camel = "".join(part.capitalize() for part in f"{name}_{kind}".split("_"))
    return getattr(module, camel)


@cache
def _entity_writer(entity: Any) -> Write:
    flexible: bool = entity.__flexible__
    plain = []
    tagged = []
    for field in fields(entity):
        step = (field.name, _field_writer(field, flexible=flexible), _default(field))
        if "tag" in field.metadata:
            tagged.append((int(field.metadata["tag"]), *step))
        else:
            plain.append(step)

    def write(out: bytearray, values: Values) -> None:
        for name, write_field, default in plain:
            value = values.get(name, default)
            if value is MISSING:
                raise KeyError(f"{entity.__name__} needs {name}")
            write_field(out, value)
        if flexible:
            _write_tagged(out, tagged, values)

    return write


def _write_tagged(
    out: bytearray, tagged: list[tuple[int, str, Write, Any]], values: Values
) -> None:
    present = [step for step in tagged if values.get(step[1], step[3]) != step[3]]
    _uvarint(out, len(present))
    for tag, name, write_field, _default_value in present:
        content = bytearray()
        write_field(content, values[name])
        _uvarint(out, tag)
        _uvarint(out, len(content))
        out += content


def _default(field: Field[Any]) -> Any:
    value = field.default
    if isinstance(value, timedelta):
        return milliseconds(value)
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, Enum):
        return value.value
    if value is MISSING and field.metadata.get("kafka_type") in {"error_code", "timedelta_i32"}:
        return 0
    return value


def _field_writer(field: Field[Any], *, flexible: bool) -> Write:
    declared: Any = field.type
    if get_origin(declared) not in {None, tuple}:  # a union with None
        declared = next(arg for arg in get_args(declared) if arg is not NoneType)
    is_array = get_origin(declared) is tuple
    item = get_args(declared)[0] if is_array else declared
    kafka_type = field.metadata.get("kafka_type")
    write = _entity_writer(item) if kafka_type is None else _primitive_writer(kafka_type, flexible)
    return _array_writer(write, flexible) if is_array else write


def _array_writer(write_item: Write, flexible: bool) -> Write:
    def write(out: bytearray, items: Sequence[Any] | None) -> None:
        _length(out, None if items is None else len(items), "i", flexible)
        for item in items or ():
            write_item(out, item)

    return write


_FORMATS = {
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint16": "H",
    "uint32": "I",
    "float64": "d",
    "bool": "?",
    "error_code": "h",
    "timedelta_i32": "i",
    "timedelta_i64": "q",
    "datetime_i64": "q",
}


def _primitive_writer(kafka_type: str, flexible: bool) -> Write:
    if kafka_type in _FORMATS:
        pack = struct.Struct(">" + _FORMATS[kafka_type]).pack

        def write_number(out: bytearray, value: Any) -> None:
            out += pack(value)

        return write_number
    if kafka_type == "uuid":
        return _write_uuid
    width = "h" if kafka_type == "string" else "i"

    def write_text(out: bytearray, value: str | bytes | None) -> None:
        data = value.encode() if isinstance(value, str) else value
        _length(out, None if data is None else len(data), width, flexible)
        out += data or b""

    return write_text


def _write_uuid(out: bytearray, value: Any) -> None:
    out += bytes(16) if value is None else value.bytes


def _length(out: bytearray, length: int | None, width: str, flexible: bool) -> None:
    if flexible:
        _uvarint(out, 0 if length is None else length + 1)
    else:
        out += struct.pack(">" + width, -1 if length is None else length)


def _uvarint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(0x80 | value & 0x7F)
        value >>= 7
    out.append(value)
