"""Tracing: where an event is, from the topic to its row."""
