"""Number literals: `5`, `5L`, `0x1F`, `1.5`, `2e3`, `1.5f`."""

from grnry.expressions.errors import Source
from grnry.expressions.tokens import Token
from grnry.expressions.values import MAX_INT, MAX_LONG, Long


def number(source: Source, token: Token) -> float:
    """The value of a number token, which the tokenizer gives in lower case."""
    text = token.text
    if text.startswith("0x"):
        return _integer(source, token, text[2:], 16)
    if text.isdigit() or text.rstrip("l").isdigit():
        return _integer(source, token, text, 10)
    try:
        value = float(text.rstrip("fd"))
    except ValueError:
        raise source.syntax_error(token.at, f"'{token.written}' is not a number") from None
    if value == float("inf"):
        raise source.syntax_error(token.at, f"'{token.written}' is too large for a number")
    return value


def _integer(source: Source, token: Token, digits: str, base: int) -> int:
    is_long = digits.endswith("l")
    digits = digits.rstrip("l").lstrip("0") or digits[:1]
    try:
        value = int(digits[:40], base)
    except ValueError:
        raise source.syntax_error(token.at, f"'{token.written}' is not a number") from None
    if len(digits) > 40 or value > MAX_LONG:
        raise source.syntax_error(token.at, f"'{token.written}' is more than a number can hold")
    if is_long:
        return Long(value)
    if value > MAX_INT:
        raise source.syntax_error(
            token.at,
            f"'{token.written}' is more than an integer holds",
            f"an L behind it: {token.written}L",
        )
    return value
