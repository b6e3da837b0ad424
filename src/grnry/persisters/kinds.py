"""What the kinds of persisters are called, and what belongs to one. Pure."""

PG = "pg"
LIVE_SEGMENT = "live-segment"

LIVE_TABLE_PREFIX = "grnry_live_sgmt_"
"""Begins the name of a live segment's table in its project's schema."""


def stream_name(event_type: str, kind: str = PG) -> str:
    """A persister's name among the deployments and the consumer groups."""
    return f"grnry-p-{kind}-{event_type}"
