"""Do the lengths in a request fit into it? Asked before kio's reader sees it.

kio's reader takes memory for as many elements as an array announces, and ends the process where
that much is not there: fifteen bytes would be enough to end a broker.
"""

import struct
from collections.abc import Callable
from dataclasses import Field, fields
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin

from .errors import MalformedRequestError
from .frames import read_uvarint

Skip = Callable[[memoryview, int], int]  # the position behind what begins at a position

_SIZES = {
    "int8": 1,
    "bool": 1,
    "int16": 2,
    "uint16": 2,
    "error_code": 2,
    "int32": 4,
    "uint32": 4,
    "timedelta_i32": 4,
    "int64": 8,
    "float64": 8,
    "timedelta_i64": 8,
    "datetime_i64": 8,
    "uuid": 16,
}
_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")


def check_lengths(entity: Any, frame: memoryview, position: int) -> None:
    """Raises MalformedRequestError where the frame ends before what it announces."""
    try:
        _entity_skipper(entity)(frame, position)
    except (struct.error, IndexError) as error:
        raise MalformedRequestError("The body is cut short.") from error


def _within(frame: memoryview, end: int) -> int:
    if end > len(frame):
        raise MalformedRequestError("The body announces more than there is.")
    return end


@cache
def _entity_skipper(entity: Any) -> Skip:
    flexible: bool = entity.__flexible__
    plain = [_field_skipper(one, flexible) for one in fields(entity) if "tag" not in one.metadata]
    tagged = {
        int(one.metadata["tag"]): _field_skipper(one, flexible)
        for one in fields(entity)
        if "tag" in one.metadata
    }

    def skip(frame: memoryview, position: int) -> int:
        for skip_field in plain:
            position = skip_field(frame, position)
        return _skip_tagged(tagged, frame, position) if flexible else position

    return skip


def _skip_tagged(known: dict[int, Skip], frame: memoryview, position: int) -> int:
    count, position = read_uvarint(frame, position)
    for _ in range(count):
        tag, position = read_uvarint(frame, position)
        size, position = read_uvarint(frame, position)
        end = _within(frame, position + size)
        if tag in known and known[tag](frame, position) != end:
            raise MalformedRequestError("A tagged field has another size than it says.")
        position = end
    return position


def _field_skipper(field: Field[Any], flexible: bool) -> Skip:
    declared: Any = field.type
    if get_origin(declared) not in {None, tuple}:  # a union with None
        declared = next(arg for arg in get_args(declared) if arg is not NoneType)
    is_array = get_origin(declared) is tuple
    item = get_args(declared)[0] if is_array else declared
    kafka_type = field.metadata.get("kafka_type")
    size = _SIZES.get(kafka_type or "", 0)
    if kafka_type is None:
        skip = _entity_skipper(item)
    elif size:
        skip = _fixed_skipper(size)
    else:
        skip = _text_skipper(_INT16 if kafka_type == "string" else _INT32, flexible)
    return _array_skipper(skip, size, flexible) if is_array else skip


def _fixed_skipper(size: int) -> Skip:
    return lambda frame, position: _within(frame, position + size)


def _text_skipper(width: struct.Struct, flexible: bool) -> Skip:
    def skip(frame: memoryview, position: int) -> int:
        length, position = _length(width, flexible, frame, position)
        return _within(frame, position + length)

    return skip


def _array_skipper(skip_item: Skip, size: int, flexible: bool) -> Skip:
    def skip(frame: memoryview, position: int) -> int:
        count, position = _length(_INT32, flexible, frame, position)
        end = _within(frame, position + count * max(size, 1))
        if size:
            return end
        for _ in range(count):
            position = skip_item(frame, position)
        return position

    return skip


def _length(
    width: struct.Struct, flexible: bool, frame: memoryview, position: int
) -> tuple[int, int]:
    """A length and what is behind it; null counts as nothing."""
    if flexible:
        length, position = read_uvarint(frame, position)
        return max(length - 1, 0), position
    return max(width.unpack_from(frame, position)[0], 0), position + width.size
