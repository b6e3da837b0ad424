"""JSON text to values, exactly: integers of any size survive."""

from typing import Any

import msgspec

from grnry.expressions.budget import CHARACTERS_PER_STEP, State
from grnry.expressions.errors import Fault

# Unlike orjson, which reads an integer beyond 64 bits as a float, at the same speed.
_decode = msgspec.json.Decoder().decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeEncodeError, RecursionError)


def parse(text: str, state: State) -> Any:
    state.read(text)
    try:
        return _decode(text)
    except _UNREADABLE:
        raise Fault("the string is no JSON") from None


def parse_or_none(text: str, state: State) -> Any:
    """The value of a JSON text; None where it is no JSON."""
    state.steps -= 1 + len(text) // CHARACTERS_PER_STEP
    if state.steps < 0:
        state.spend(0)
    try:
        return _decode(text)
    except _UNREADABLE:
        return None
