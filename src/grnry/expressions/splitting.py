"""Strings cut and changed by patterns: Java's `split`, `replaceAll` and `replaceFirst`."""

from collections.abc import Iterator
from typing import Any

from grnry.expressions.budget import MAX_TEXT_LENGTH, State
from grnry.expressions.errors import Fault
from grnry.expressions.patterns import compiled, literal


def _matches(pattern: str, text: str, state: State) -> Iterator[Any]:
    state.compile(pattern)
    return compiled(pattern).search(text, state)


def split(state: State, text: str, pattern: str, limit: int = 0) -> list[str]:
    plain = literal(pattern)
    if plain:
        pieces = text.split(plain, limit - 1 if limit > 0 else -1)
        state.spend(len(pieces))
    else:
        pieces = _split(state, text, pattern, limit)
    if limit == 0 and len(pieces) > 1:
        while pieces and not pieces[-1]:
            pieces.pop()
    return pieces


def _split(state: State, text: str, pattern: str, limit: int) -> list[str]:
    pieces: list[str] = []
    start = 0
    for match in _matches(pattern, text, state):
        if 0 < limit <= len(pieces) + 1:
            break
        if match.end() == 0:
            continue
        pieces.append(text[start : match.start()])
        start = match.end()
    pieces.append(text[start:])
    return pieces


def replace_all(state: State, text: str, pattern: str, replacement: str) -> str:
    return _replaced(state, text, pattern, replacement, most=None)


def replace_first(state: State, text: str, pattern: str, replacement: str) -> str:
    return _replaced(state, text, pattern, replacement, most=1)


def _replaced(state: State, text: str, pattern: str, replacement: str, most: int | None) -> str:
    pieces: list[str] = []
    start, length = 0, 0
    for count, match in enumerate(_matches(pattern, text, state)):
        if count == most:
            break
        pieces += [text[start : match.start()], _filled(replacement, match)]
        length += len(pieces[-1]) + len(pieces[-2])
        if length > max(MAX_TEXT_LENGTH, len(text)):
            raise Fault(f"the text is longer than {MAX_TEXT_LENGTH:,} characters")
        start = match.end()
    pieces.append(text[start:])
    return "".join(pieces)


def _filled(replacement: str, match: Any) -> str:
    """The replacement with its `$1` and `${name}` filled in; a backslash quotes."""
    if "$" not in replacement and "\\" not in replacement:
        return replacement
    pieces, at = [], 0
    while at < len(replacement):
        character = replacement[at]
        at += 1
        if character == "\\":
            pieces.append(replacement[at : at + 1])
            at += 1
        elif character == "$":
            group, at = _reference(replacement, at)
            pieces.append(_group(match, group))
        else:
            pieces.append(character)
    return "".join(pieces)


def _reference(replacement: str, at: int) -> tuple[str, int]:
    if replacement.startswith("{", at):
        end = replacement.find("}", at)
        return replacement[at + 1 : end], end + 1 if end > 0 else len(replacement)
    return replacement[at : at + 1], at + 1


def _group(match: Any, group: str) -> str:
    try:
        key = int(group) if group.isdigit() else group
        return match.group(key) or ""
    except (LookupError, ValueError):
        raise Fault(f"the pattern has no group '{group}'") from None
