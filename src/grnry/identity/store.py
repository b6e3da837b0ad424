"""Users, clients and signing keys of the built-in issuer, as they are stored."""

from collections.abc import Iterable
from dataclasses import dataclass

from grnry.database.queries import load
from grnry.database.transaction import Reading, Row, Transaction
from grnry.identity.model import Roles, group_roles

queries = load(__package__)


@dataclass(frozen=True, slots=True)
class User:
    id: str
    username: str
    name: str
    email: str
    password_hash: str
    enabled: bool
    claimed: bool
    sessions_since: float
    """Refresh tokens made before this are void."""

    @classmethod
    def from_row(cls, row: Row) -> "User":
        return cls(**row)


@dataclass(frozen=True, slots=True)
class Client:
    client_id: str
    secret_sha256: bytes | None
    acts_as: str | None
    password_logins: bool
    service_account: bool
    """Whether its own tokens are those of a user made for it alone."""

    @property
    def is_public(self) -> bool:
        return self.secret_sha256 is None

    @classmethod
    def from_row(cls, row: Row) -> "Client":
        return cls(**row)


@dataclass(frozen=True, slots=True)
class StoredKey:
    kid: str
    private_pem: str
    created: float


def list_keys(reading: Reading) -> list[StoredKey]:
    """All keys, the youngest first."""
    return [StoredKey(**row) for row in reading.rows(queries.list_keys)]


def lock_keys(transaction: Transaction) -> None:
    transaction.run(queries.lock_keys)


def add_key(transaction: Transaction, kid: str, private_pem: str) -> None:
    transaction.run(queries.add_key, kid=kid, private_pem=private_pem)


def drop_superseded_keys(transaction: Transaction, grace_seconds: float) -> int:
    return transaction.run(queries.drop_superseded_keys, grace=grace_seconds)


def find_user(reading: Reading, username: str) -> User | None:
    row = reading.row(queries.find_user, username=username)
    return User.from_row(row) if row else None


def get_user(reading: Reading, user_id: str) -> User | None:
    row = reading.row(queries.get_user, id=user_id)
    return User.from_row(row) if row else None


def add_user(
    transaction: Transaction, username: str, name: str, email: str, password_hash: str
) -> bool:
    """Add a user; false where somebody has that name."""
    values = {"username": username, "name": name, "email": email, "password_hash": password_hash}
    return transaction.run(queries.add_user, **values) > 0


def set_unclaimed_password(transaction: Transaction, user_id: str, password_hash: str) -> bool:
    return (
        transaction.run(queries.set_unclaimed_password, id=user_id, password_hash=password_hash) > 0
    )


def claim_user(transaction: Transaction, user_id: str) -> None:
    transaction.run(queries.claim_user, id=user_id)


def roles_of(reading: Reading, user_id: str) -> Roles:
    rows = reading.rows(queries.list_roles, id=user_id)
    return group_roles((row["client"], row["role"]) for row in rows)


def grant_roles(transaction: Transaction, user_id: str, client: str, roles: Iterable[str]) -> None:
    for role in roles:
        transaction.run(queries.grant_role, id=user_id, client=client, role=role)


def find_client(reading: Reading, client_id: str) -> Client | None:
    row = reading.row(queries.find_client, client_id=client_id)
    return Client.from_row(row) if row else None


def add_public_client(transaction: Transaction, client_id: str) -> None:
    """Let users log in with their password through this client."""
    transaction.run(queries.add_public_client, client_id=client_id)


def set_confidential_client(
    transaction: Transaction, client_id: str, secret_sha256: bytes, acts_as: str
) -> None:
    transaction.run(
        queries.set_confidential_client,
        client_id=client_id,
        secret_sha256=secret_sha256,
        acts_as=acts_as,
    )


def list_clients(reading: Reading) -> list[Client]:
    return [Client.from_row(row) for row in reading.rows(queries.list_clients)]


def add_service_account(transaction: Transaction, client_id: str, secret_sha256: bytes) -> str:
    """A confidential client and the user that it acts as; answers the user's id."""
    user_id: str = transaction.value(queries.add_service_user, client_id=client_id)
    transaction.run(
        queries.add_confidential_client,
        client_id=client_id,
        secret_sha256=secret_sha256,
        acts_as=user_id,
    )
    return user_id


def set_client_secret(transaction: Transaction, client_id: str, secret_sha256: bytes) -> bool:
    values = {"client_id": client_id, "secret_sha256": secret_sha256}
    return transaction.run(queries.set_client_secret, **values) > 0


def delete_service_account(transaction: Transaction, client_id: str) -> bool:
    return transaction.run(queries.delete_service_user, client_id=client_id) > 0


def list_projects(transaction: Transaction) -> list[str]:
    return [row["name"] for row in transaction.rows(queries.list_projects)]
