"""Reading: the Event Store API, for whom may see which events."""
