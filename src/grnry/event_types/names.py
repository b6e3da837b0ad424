"""The names of an event type and of what belongs to it. Pure."""

import re

LONGEST = 20
LONGEST_DISPLAY = 256

_ALLOWED = re.compile(r"[a-zA-Z0-9-]{1,20}")
_STRANGE = re.compile(r"[^a-zA-Z0-9\-\s]")
_SPACE = re.compile(r"\s+")


def is_name(text: str) -> bool:
    return _ALLOWED.fullmatch(text) is not None


def derive(display_name: str) -> str:
    """The name a display name leads to; empty where it leaves nothing."""
    kept = _STRANGE.sub("", display_name).strip()
    return _SPACE.sub("-", kept)[:LONGEST]


def with_digits(name: str, digits: int) -> str:
    """Another name, for where the derived one is taken."""
    return f"{name[:15]}-{digits:04d}"
