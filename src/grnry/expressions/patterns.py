r"""Regular expressions in Java's notation, matched by RE2 in linear time.

What Java and RE2 write differently is translated (`\h`, `\p{Alpha}`, `\uXXXX`, the line ends that
a dot leaves out); what RE2 can not do (back references, look-around, possessive repetition, the
intersection of character classes) is a fault that says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

from grnry.expressions.budget import (
    MAX_PATTERN_LENGTH,
    MAX_PATTERN_MEMORY,
    MAX_SEARCHED_LENGTH,
    State,
)
from grnry.expressions.errors import Fault

# RE2 falls back from one look at a character to one for each part of the pattern.
CHARACTERS_TIMES_SIZE_PER_STEP = 500
STEPS_OF_A_MATCH = 5
SQUARES_TIMES_SIZE_PER_STEP = 100_000
LEAST_SEARCHED_SIZE = 50

DOT = r"[^\n\r\x{85}\x{2028}\x{2029}]"
OPERATORS = frozenset(r".$|()[{^?*+\\")
SPACES = r" \t\n\x0B\f\r"
CLASS_ESCAPES = {"h": r" \t\x{A0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}"}
CLASS_ESCAPES |= {"s": SPACES}
SINGLE_ESCAPES = {
    "R": r"(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])",
    "e": r"\x1B",
    "Z": r"\n?\z",
    "z": r"\z",
}
NEGATED_ESCAPES = {"H": f"[^{CLASS_ESCAPES['h']}]", "S": f"[^{SPACES}]"}
POSIX = {
    "Alpha": "a-zA-Z",
    "Lower": "a-z",
    "Upper": "A-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1F\x7F",
    "XDigit": "0-9a-fA-F",
    "Space": SPACES,
    "ASCII": r"\x00-\x7F",
    "IsAlphabetic": r"\p{L}\p{Nl}",
    "IsLetter": r"\p{L}",
    "IsDigit": r"\p{Nd}",
}


@contextmanager
def _encodable() -> Iterator[None]:
    """A text with half a surrogate pair can not be given to RE2."""
    try:
        yield
    except UnicodeEncodeError:
        raise Fault("the text has a character that is none") from None


class Pattern:
    """A compiled pattern, whose use costs steps by its size and the text's length."""

    def __init__(self, program: Any) -> None:
        self._program = program
        self._size: int = program.programsize

    def matches(self, text: str, state: State) -> bool:
        """Whether the whole text matches."""
        state.spend(STEPS_OF_A_MATCH + len(text) * self._size // CHARACTERS_TIMES_SIZE_PER_STEP)
        with _encodable():
            return self._program.fullmatch(text) is not None

    def search(self, text: str, state: State) -> Iterator[Any]:
        """All matches in the text, each of which may have to look at all that follows."""
        if len(text) > MAX_SEARCHED_LENGTH:
            raise Fault(
                f"the text is longer than the {MAX_SEARCHED_LENGTH:,} characters "
                "that a pattern is searched in"
            )
        size = max(self._size, LEAST_SEARCHED_SIZE)
        cost = len(text) ** 2 * size // SQUARES_TIMES_SIZE_PER_STEP
        state.spend(STEPS_OF_A_MATCH + cost)
        previous = None
        with _encodable():
            for match in self._program.finditer(text):
                state.spend(1)
                # RE2's iterator gives some empty matches, such as that of `$`, twice.
                if match.span() != previous:
                    yield match
                previous = match.span()


@lru_cache(maxsize=100)
def compiled(pattern: str) -> Pattern:
    """The compiled pattern; a fault where it is none."""
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise Fault(f"the pattern is longer than {MAX_PATTERN_LENGTH:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PATTERN_MEMORY
    translated = _Translation(pattern).text()
    try:
        with _encodable():
            return Pattern(re2.compile(translated, options))
    except re2.error as error:
        reason = error.args[0] if error.args else "it is malformed"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise Fault(f"the pattern '{pattern}' can not be used: {reason}") from None


def literal(pattern: str) -> str | None:
    """The text that a pattern without operators stands for; None for any other."""
    if len(pattern) == 2 and pattern[0] == "\\" and not pattern[1].isalnum():
        return pattern[1]
    return None if any(character in OPERATORS for character in pattern) else pattern


class _Translation:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._dot = DOT

    def text(self) -> str:
        pieces = []
        while self._at < len(self._pattern):
            pieces.append(self._next())
        return "".join(pieces)

    def _refuse(self, what: str) -> Fault:
        return Fault(f"the pattern '{self._pattern}' can not be used: {what}")

    def _take(self, count: int = 1) -> str:
        taken = self._pattern[self._at : self._at + count]
        self._at += count
        return taken

    def _starts(self, *prefixes: str) -> bool:
        return self._pattern.startswith(prefixes, self._at)

    def _next(self) -> str:
        if self._starts("\\"):
            return self._escape(within_class=False)
        if self._starts("["):
            return self._class()
        if self._starts("(?"):
            return self._group()
        character = self._take()
        if character == ".":
            return self._dot
        if character in "*+?}" and self._starts("+"):
            raise self._refuse("possessive repetition is not supported")
        return character

    def _group(self) -> str:
        if self._starts("(?=", "(?!", "(?<=", "(?<!"):
            raise self._refuse("look-around is not supported")
        if self._starts("(?>"):
            raise self._refuse("atomic groups are not supported")
        if self._starts("(?<"):
            self._take(3)
            return "(?P<"
        opening = self._take(2)
        flags = ""
        while self._at < len(self._pattern) and self._pattern[self._at].isalpha():
            flags += self._take()
        if set(flags) - set("ims"):
            raise self._refuse(f"the flags '{flags}' are not supported; i, m and s are")
        if "s" in flags:
            self._dot = "."
        return opening + flags

    def _escape(self, *, within_class: bool) -> str:
        self._take()
        letter = self._take()
        if letter == "Q":
            return self._quoted()
        if letter in "pP" and self._starts("{"):
            return self._property(letter, within_class)
        if letter == "u":
            return rf"\x{{{self._take(4)}}}"
        if letter in CLASS_ESCAPES:
            body = CLASS_ESCAPES[letter]
            return body if within_class else f"[{body}]"
        if letter in NEGATED_ESCAPES and not within_class:
            return NEGATED_ESCAPES[letter]
        if letter in SINGLE_ESCAPES and not within_class:
            return SINGLE_ESCAPES[letter]
        if letter.isdigit() and letter != "0":
            raise self._refuse("back references are not supported")
        if letter in ("k", "G", "R", "Z", "X", "b", "B", "c", "H", "S", "0", ""):
            return self._rare(letter)
        return f"\\{letter}"

    def _rare(self, letter: str) -> str:
        if letter in ("b", "B"):
            return f"\\{letter}"
        raise self._refuse(f"'\\{letter}' is not supported here")

    def _quoted(self) -> str:
        end = self._pattern.find("\\E", self._at)
        literal = self._take((len(self._pattern) if end < 0 else end) - self._at)
        self._take(2)
        return str(re2.escape(literal))

    def _property(self, letter: str, within_class: bool) -> str:
        end = self._pattern.find("}", self._at)
        name = self._take(end - self._at + 1)[1:-1] if end > 0 else ""
        if name not in POSIX:
            return f"\\{letter}{{{name.removeprefix('Is')}}}"
        if letter == "P" or not within_class:
            if within_class:
                raise self._refuse(f"'\\P{{{name}}}' is not supported within a class")
            return f"[{'^' if letter == 'P' else ''}{POSIX[name]}]"
        return POSIX[name]

    def _class(self) -> str:
        pieces = [self._take()]
        if self._starts("^"):
            pieces.append(self._take())
        if self._starts("]"):
            raise self._refuse("a class can not start with ']'; write '\\]'")
        while not self._starts("]"):
            if self._at >= len(self._pattern):
                raise self._refuse("a character class has no end")
            if self._starts("[", "&&"):
                raise self._refuse("classes within classes and '&&' are not supported")
            pieces.append(self._escape(within_class=True) if self._starts("\\") else self._take())
        pieces.append(self._take())
        return "".join(pieces)
