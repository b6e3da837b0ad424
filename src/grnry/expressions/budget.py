"""The bounds of an expression, and what one evaluation may still spend.

Every element that a selection or a projection visits costs as many steps as the expression over
it has parts; every value that a comparison or a JSON path visits costs one, and so do each 64
characters that a string operation reads. What runs out of steps fails.
"""

from collections.abc import Mapping
from typing import Any

from grnry.expressions.errors import Fault

MAX_EXPRESSION_LENGTH = 10_000
MAX_NESTING = 50
MAX_STEPS = 250_000
MAX_TEXT_LENGTH = 100_000
MAX_REPEATED_LENGTH = 256
MAX_RESULT_VALUES = 100_000
MAX_PATTERN_LENGTH = 1_000
MAX_PATTERN_MEMORY = 1 << 20
MAX_SEARCHED_LENGTH = 10_000
MAX_INTEGER_BITS = 4_096

CHARACTERS_PER_STEP = 64
# What a pattern or a path costs that is not known before the evaluation.
STEPS_TO_COMPILE = 500


class State:
    """One evaluation: the event's two variables and the steps that are left."""

    __slots__ = ("compiled", "headers", "payload", "steps")

    def __init__(self, payload: Any, headers: Mapping[str, str]) -> None:
        self.payload = payload
        self.headers = headers
        self.steps = MAX_STEPS
        self.compiled: frozenset[str] = frozenset()

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise Fault(f"the expression takes more than {MAX_STEPS:,} steps on this event")

    def read(self, text: str) -> None:
        """Pay for reading a whole text once."""
        self.spend(1 + len(text) // CHARACTERS_PER_STEP)

    def compile(self, text: str) -> None:
        """Pay for a pattern or a path that the event brings, once."""
        if text not in self.compiled:
            self.spend(STEPS_TO_COMPILE + len(text))
            self.compiled |= {text}
