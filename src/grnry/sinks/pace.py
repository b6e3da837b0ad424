"""The pace of a sink."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How batches are made and tried again."""

    batch_size: int = 5000
    batch_seconds: float = 0.2
    most_retries: int | None = None
    """How often a batch is refused for a passing reason until that is a failure; it goes on."""
    retry_seconds: float = 0.0
    """The least pause between two such tries."""
