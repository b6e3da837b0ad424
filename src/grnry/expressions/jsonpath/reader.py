"""A cursor over the text of a path or a filter."""

from grnry.expressions.errors import Fault


class Reader:
    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self.at = at

    @property
    def character(self) -> str:
        return self.text[self.at : self.at + 1]

    def starts(self, prefix: str) -> bool:
        return self.text.startswith(prefix, self.at)

    def accept(self, prefix: str) -> bool:
        found = self.starts(prefix)
        if found:
            self.at += len(prefix)
        return found

    def expect(self, prefix: str) -> None:
        self.skip_blanks()
        if not self.accept(prefix):
            raise self.fault(f"'{prefix}' is expected")

    def skip_blanks(self) -> None:
        while self.character == " ":
            self.at += 1

    def significant(self) -> str:
        """The next character that is no blank, after the current one."""
        return self.text[self.at + 1 :].lstrip(" ")[:1]

    def fault(self, problem: str) -> Fault:
        found = f"'{self.character}'" if self.character else "the end"
        return Fault(
            f"the path '{self.text}' is malformed at character {self.at + 1} ({found}): {problem}"
        )

    def quoted(self) -> str:
        """The string that starts with the current quote."""
        quote = self.character
        start = end = self.at + 1
        while self.text[end : end + 1] != quote:
            end += 2 if self.text[end : end + 1] == "\\" else 1
            if end >= len(self.text):
                raise self.fault(f"the string has no closing {quote}")
        self.at = end + 1
        return _unescaped(self.text[start:end])

    def closing(self, opening: str, closing: str) -> int:
        """The place of the bracket that closes the one at the cursor; quoted ones do not count."""
        depth, at = 0, self.at
        while at < len(self.text):
            character = self.text[at]
            if character in "'\"":
                inner = Reader(self.text, at)
                inner.quoted()
                at = inner.at
                continue
            depth += (character == opening) - (character == closing)
            if depth == 0:
                return at
            at += 1
        raise self.fault(f"'{opening}' has no '{closing}'")


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    pieces, at = [], 0
    letters = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
    while at < len(text):
        if text[at] != "\\":
            pieces.append(text[at])
            at += 1
        elif text[at + 1 : at + 2] == "u":
            pieces.append(_code_point(text[at + 2 : at + 6]))
            at += 6
        else:
            letter = text[at + 1 : at + 2]
            pieces.append(letters.get(letter, letter))
            at += 2
    return "".join(pieces)


def _code_point(digits: str) -> str:
    try:
        code = int(digits, 16)
    except ValueError:
        raise Fault(f"'\\u{digits}' is no character") from None
    return chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd"
