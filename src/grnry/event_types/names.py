"""The names of an event type and of what belongs to it. Pure."""

import re

from grnry.projects.names import LONGEST, LONGEST_DISPLAY, derive

__all__ = ["LONGEST", "LONGEST_DISPLAY", "derive", "is_name", "with_digits"]

_ALLOWED = re.compile(r"[a-zA-Z0-9-]{1,20}")


def is_name(text: str) -> bool:
    return _ALLOWED.fullmatch(text) is not None


def with_digits(name: str, digits: int) -> str:
    """Another name, for where the derived one is taken."""
    return f"{name[:15]}-{digits:04d}"
