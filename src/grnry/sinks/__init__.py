"""Sinks: what every engine stands on that writes a topic into the database.

A reader thread owns the consumer and turns records into lines; a writer thread owns the database
connection and stores batches of them, exactly once, under leases; what can never be stored goes to
the dead letters in the transaction of its batch.
"""
