"""Kafka's protocol: bytes to values and back, without I/O."""
