"""Granary: a self-hosted platform for event data."""

__version__ = "0.1.0"
