"""The embedded log: a single-node broker that speaks the Kafka protocol."""
