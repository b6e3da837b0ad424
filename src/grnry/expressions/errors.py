"""What can go wrong with an expression.

    ExpressionsError
    ├── ExpressionSyntaxError   the text is no expression, found when it is compiled
    └── ExpressionError         the expression fails on an event, found when it is evaluated

Both say where: `line` and `column` count from one.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ExpressionsError(Exception):
    """Something is wrong with an expression; its text says what and where."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message, line, column)
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class ExpressionSyntaxError(ExpressionsError):
    """The text is not an expression, or uses what expressions may not use."""

    def __init__(self, message: str, line: int, column: int, expected: str = "") -> None:
        super().__init__(message, line, column)
        self.args = (message, line, column, expected)
        self.expected = expected

    def __str__(self) -> str:
        sentence = super().__str__()
        return f"{sentence}; expected {self.expected}" if self.expected else sentence


class ExpressionError(ExpressionsError):
    """The expression can not be evaluated on this event."""


class Fault(Exception):  # noqa: N818 - never leaves the package
    """A failure that does not know its place yet; the closure it passes through does."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class MissingFault(Fault):
    """The document has nothing at the path."""


class Source:
    """The text of an expression, which turns offsets into lines and columns."""

    def __init__(self, text: str) -> None:
        self.text = text

    def place(self, at: int) -> tuple[int, int]:
        before = self.text[: max(at, 0)]
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    def syntax_error(self, at: int, message: str, expected: str = "") -> ExpressionSyntaxError:
        return ExpressionSyntaxError(message, *self.place(at), expected)

    def error(self, at: int, message: str) -> ExpressionError:
        return ExpressionError(message, *self.place(at))


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """The words that point from a misspelt name to the known one, or to all of them."""
    names = sorted(known)
    by_lower_case = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.6)
    if close:
        return f"{prefix}{by_lower_case[close[0]]}"
    return "one of " + ", ".join(prefix + candidate for candidate in names)
