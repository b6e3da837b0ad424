"""Expiry: events that are older than their type keeps them go, and their belts hear of it."""
