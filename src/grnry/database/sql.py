"""How statements are composed: names and literals quoted by the driver, patterns escaped."""

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

__all__ = ["SQL", "Composable", "Composed", "Identifier", "Literal", "containing"]


def containing(text: str) -> str:
    """A pattern of `like` for what contains the text, its wildcards taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
