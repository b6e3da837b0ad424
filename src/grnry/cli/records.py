"""Records as text: for people, and as JSON that can be read back."""

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from grnry.errors import BadInput

if TYPE_CHECKING:
    from grnry.log.records import Outgoing, Record

LINE = 100


def for_people(record: "Record") -> str:
    """A line that says which record it is, and its payload, indented where it is long."""
    kind, milliseconds = record.timestamp()
    key = record.key()
    parts = [
        f"{record.partition()}/{record.offset()}",
        _time(milliseconds) if kind else "-",
        "" if key is None else f"key={_text(key)}",
        *(f"{_printable(name)}={_text(value)}" for name, value in record.headers() or ()),
    ]
    payload = record.value()
    lines = ["  ".join(part for part in parts if part)]
    lines += [f"  {line}" for line in _payload(payload)]
    return "\n".join(lines)


def _time(milliseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms"
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{milliseconds % 1000:03}Z"


def _payload(value: bytes | None) -> list[str]:
    if value is None:
        return ["(no value)"]
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return [_printable(line) for line in _text(value).splitlines()] or ["(empty)"]
    short = json.dumps(found, ensure_ascii=False)
    text = short if len(short) <= LINE else json.dumps(found, ensure_ascii=False, indent=2)
    return [_printable(line) for line in text.splitlines()]


def _text(value: bytes | None) -> str:
    if value is None:
        return "(null)"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    return "\n".join(_printable(line) for line in text.split("\n"))


def _printable(text: str) -> str:
    """What a terminal would take as a command is shown instead."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def as_json(record: "Record") -> str:
    """One line; text where the bytes are UTF-8, else `{"base64": …}`."""
    kind, milliseconds = record.timestamp()
    values = {
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": milliseconds if kind else None,
        "key": _plain(record.key()),
        "headers": [[name, _plain(value)] for name, value in record.headers() or ()],
        "value": _plain(record.value()),
    }
    return json.dumps(values, ensure_ascii=False)


def _plain(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def from_json(line: bytes, number: int) -> "Outgoing":
    """A record as `as_json` writes it; partition and offset are not taken over."""
    from grnry.log.records import Outgoing

    try:
        found = dict(json.loads(line))
        timestamp = found.get("timestamp")
        return Outgoing(
            _bytes(found.get("key")),
            _bytes(found.get("value")),
            [(str(name), _bytes(value)) for name, value in found.get("headers") or ()],
            None if timestamp is None else int(timestamp),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput.of(
            str(number), f"is no record as `grnry topic tail --json` prints it: {error}", "Line"
        ) from error


def _bytes(value: Any) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and list(value) == ["base64"]:
        return base64.b64decode(value["base64"], validate=True)
    raise TypeError(f"{value!r} is neither text nor base64")
