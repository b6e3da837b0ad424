"""The technical names of projects. Pure.

A project's name is its client, its path, and its database schema. So it must be none that one of
these has already; case makes no difference, as people read no difference.
"""

import re

from grnry.errors import BadInput
from grnry.identity.model import EVENT_API, PROFILE_API, PROJECT_API, SEGMENT_API

LONGEST = 20
LONGEST_DISPLAY = 256
DIGITS = 4

_STRANGE = re.compile(r"[^a-zA-Z0-9\-\s]")
_SPACE = re.compile(r"\s+")
_TELLING = re.compile(r"[a-zA-Z0-9]")

OURS = ("pg", "grnry")
"""What PostgreSQL's own schemas begin with, and what Granary's own things do."""

TAKEN = frozenset(
    {
        "public",
        "segments",
        "postgres",
        "information_schema",
        PROJECT_API,
        PROFILE_API,
        EVENT_API,
        SEGMENT_API,
        "realm-management",
        "account",
        "broker",
        "admin-cli",
        "security-admin-console",
    }
)

# Keywords that PostgreSQL 14 to 18 take for no name of a schema unless it is quoted.
_KEYWORDS = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check
    collate collation column concurrently constraint create cross current_catalog current_date
    current_role current_schema current_time current_timestamp current_user default deferrable desc
    distinct do else end except false fetch for foreign freeze from full grant group having ilike in
    initially inner intersect into is isnull join lateral leading left like limit localtime
    localtimestamp natural not notnull null offset on only or order outer overlaps placing primary
    references returning right select session_user similar some symmetric system_user table
    tablesample then to trailing true union unique user using variadic verbose when where window
    with
"""
KEYWORDS = frozenset(_KEYWORDS.split())


def derive(display_name: str) -> str:
    """The name a display name leads to; empty where it leaves nothing."""
    kept = _STRANGE.sub("", display_name).strip()
    return _SPACE.sub("-", kept)[:LONGEST]


def with_digits(name: str, digits: int) -> str:
    """Another name, for where the derived one is taken: its last four are digits."""
    return f"{name[:-DIGITS]}{digits:0{DIGITS}d}"


def is_reserved(name: str) -> bool:
    lower = name.lower()
    return lower.startswith(OURS) or lower in TAKEN or lower in KEYWORDS


def name_for(display_name: str) -> str:
    """The technical name, or `BadInput` where it leads to none or to a reserved one."""
    name = derive(display_name)
    if not _TELLING.search(name):
        raise BadInput.of("displayName", "must contain a letter or a digit")
    if is_reserved(name):
        raise BadInput.of(
            "displayName", f"leads to the name '{name}', which is reserved. Choose another"
        )
    return name
