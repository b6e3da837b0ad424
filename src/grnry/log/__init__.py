"""The log: everything that streams goes through the Kafka protocol."""
