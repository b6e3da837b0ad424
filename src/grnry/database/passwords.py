"""Passwords as the server keeps them."""

from typing import Any

import psycopg
from psycopg import sql


def verifier(connection: psycopg.Connection[Any], role: str, password: str) -> sql.Literal:
    """What the server checks a password with; the password itself never gets into its log."""
    made = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return sql.Literal(made.decode())
