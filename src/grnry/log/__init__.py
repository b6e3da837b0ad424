"""The log: everything that streams goes through the Kafka protocol.

`producer`, `consumer` and `admin` are the one place where the client library is imported; nothing
above them knows whether the embedded log (`broker`) or Apache Kafka answers.
"""
