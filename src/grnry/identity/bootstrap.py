"""What the built-in issuer starts with: the user `admin`, and the clients that users know."""

from grnry.database.pool import Database
from grnry.database.transaction import Transaction
from grnry.errors import StartError
from grnry.identity import store
from grnry.identity.model import (
    EVENT_API,
    GLOBAL,
    PROFILE_API,
    PROJECT_API,
    PROJECT_API_ROLES,
    PROJECT_ROLES,
    SEGMENT_API,
    SEGMENT_API_ROLES,
)
from grnry.identity.passwords import Passwords, digest

ADMIN = "admin"
CLI_CLIENT = "grnry-cli"
PUBLIC_CLIENTS = ("grnry", PROJECT_API, PROFILE_API, EVENT_API, SEGMENT_API, GLOBAL)


def bootstrap(database: Database, admin_password: str, cli_secret: str) -> None:
    """Make what is missing. Several processes may call this at once."""
    with database.transaction() as transaction:
        admin = _ensure_admin(transaction, admin_password)
        for client in PUBLIC_CLIENTS:
            store.add_public_client(transaction, client)
        if cli_secret:
            store.set_confidential_client(transaction, CLI_CLIENT, digest(cli_secret), admin)


def _ensure_admin(transaction: Transaction, password: str) -> str:
    """The admin's id. A password that nobody has logged in with yet may be set anew."""
    admin = store.find_user(transaction, ADMIN)
    if admin is None:
        return _make_admin(transaction, password)
    if password and not admin.claimed:
        store.set_unclaimed_password(transaction, admin.id, Passwords().hash(password))
    return admin.id


def _make_admin(transaction: Transaction, password: str) -> str:
    if not password:
        raise StartError("There is no user 'admin' yet. Give a password in GRNRY_ADMIN_PASSWORD.")
    made = store.add_user(transaction, ADMIN, "Administrator", "", Passwords().hash(password))
    admin = store.find_user(transaction, ADMIN)
    assert admin is not None
    if made:
        store.grant_roles(transaction, admin.id, GLOBAL, PROJECT_ROLES)
        store.grant_roles(transaction, admin.id, PROJECT_API, PROJECT_API_ROLES)
        store.grant_roles(transaction, admin.id, SEGMENT_API, SEGMENT_API_ROLES)
    return admin.id
