"""Persisters: deployments that read one event type's topic and write PostgreSQL."""
