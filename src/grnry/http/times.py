"""Times as they are answered: UTC, to the millisecond."""

from datetime import UTC, datetime


def time_text(moment: datetime) -> str:
    """`2021-09-24T08:38:50.848Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return int(moment.timestamp() * 1000)
