"""How large a schema may be, and how long its comparison may take."""

from typing import Any

from grnry.schemas.errors import SchemaError

MAX_BYTES = 262_144
MAX_DEPTH = 64
MAX_NODES = 20_000
MAX_PATTERN_LENGTH = 1_000
MAX_PATTERN_MEMORY = 1_000_000
MAX_EXPANSIONS = 1_000_000
MAX_COMPARISON_STEPS = 50_000
MAX_COMPARISON_DEPTH = 64
MAX_CASES = 1_000
MAX_COLUMNS = 1_500


def check_size(document: Any) -> None:
    """Raises SchemaError where the document is too deep or has too many values."""
    level, nodes, depth = [document], 0, 0
    while level:
        nodes += len(level)
        depth += 1
        if depth > MAX_DEPTH:
            raise SchemaError.of("#", f"is nested deeper than {MAX_DEPTH} levels")
        if nodes > MAX_NODES:
            raise SchemaError.of("#", f"has more than {MAX_NODES:,} values")
        level = [child for value in level for child in _children(value)]


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
