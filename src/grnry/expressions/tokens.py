"""The tokenizer: expression text to a list of tokens, as Spring's tokenizer splits it."""

from dataclasses import dataclass
from typing import Literal

from grnry.expressions.errors import Source

Kind = Literal["name", "number", "string", "symbol", "end"]

# Longest first, so that the first that fits is the right one.
SYMBOLS = (
    *("++", "--", "==", "!=", "<=", ">=", "&&", "||", "?:", "?.", "?[", "^[", "$[", "!["),
    *"+-*/%^!=<>?:.,()[]{}#@&",
)
OPERATOR_WORDS = {
    "div": "/",
    "mod": "%",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "not": "!",
}
WHITESPACE = " \t\r\n"
DIGITS = frozenset("0123456789")
HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    at: int
    # How the text is written, where that is more than `text`: `eq` for `==`.
    written: str

    def describe(self) -> str:
        return "end" if self.kind == "end" else f"'{self.written}'"


class Tokenizer:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._at = 0
        self._tokens: list[Token] = []

    def tokens(self) -> list[Token]:
        text = self._text
        while self._at < len(text):
            character = text[self._at]
            if character in WHITESPACE:
                self._at += 1
            elif character in "'\"":
                self._string(character)
            elif character in DIGITS:
                self._number()
            elif _starts_name(character) and not text.startswith("$[", self._at):
                self._name()
            else:
                self._symbol()
        self._tokens.append(Token("end", "", len(text), ""))
        return self._tokens

    def _add(self, kind: Kind, text: str, end: int) -> None:
        written = self._text[self._at : end]
        self._tokens.append(Token(kind, text, self._at, written))
        self._at = end

    def _symbol(self) -> None:
        for symbol in SYMBOLS:
            if self._text.startswith(symbol, self._at):
                self._add("symbol", symbol, self._at + len(symbol))
                return
        character = self._text[self._at]
        expected = {"|": "'||'", "\\": "a string in quotes around it"}.get(character, "")
        shown = f"'{character}'" if character.isprintable() else f"U+{ord(character):04X}"
        raise self._source.syntax_error(
            self._at, f"{shown} does not belong in an expression", expected
        )

    def _name(self) -> None:
        end = self._at
        while end < len(self._text) and _continues_name(self._text[end]):
            end += 1
        name = self._text[self._at : end]
        symbol = OPERATOR_WORDS.get(name.lower())
        if symbol is None:
            self._add("name", name, end)
        else:
            self._add("symbol", symbol, end)

    def _string(self, quote: str) -> None:
        end = self._at + 1
        pieces = []
        while True:
            close = self._text.find(quote, end)
            if close < 0:
                raise self._source.syntax_error(
                    self._at, "the string that starts here has no end", f"a closing {quote}"
                )
            pieces.append(self._text[end:close])
            end = close + 1
            if not self._text.startswith(quote, end):
                break
            end += 1
        self._add("string", quote.join(pieces), end)

    def _number(self) -> None:
        text, end = self._text, self._at
        if text[end] == "0" and text[end + 1 : end + 2] in {"x", "X"}:
            end = self._run(end + 2, HEX_DIGITS)
        else:
            end = self._decimal(end)
        if text[end : end + 1].lower() in {"l", "f", "d"}:
            end += 1
        self._add("number", text[self._at : end].lower(), end)

    def _decimal(self, at: int) -> int:
        text = self._text
        end = self._run(at, DIGITS)
        if text.startswith(".", end) and text[end + 1 : end + 2] in DIGITS:
            end = self._run(end + 1, DIGITS)
        if text[end : end + 1] in {"e", "E"}:
            sign = 1 if text[end + 1 : end + 2] in {"+", "-"} else 0
            end = self._run(end + 1 + sign, DIGITS)
        return end

    def _run(self, at: int, allowed: frozenset[str]) -> int:
        while at < len(self._text) and self._text[at] in allowed:
            at += 1
        return at


def _starts_name(character: str) -> bool:
    return character.isalpha() or character in "_$"


def _continues_name(character: str) -> bool:
    return _starts_name(character) or character in DIGITS
