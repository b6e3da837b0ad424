"""Service accounts: programs that log in for themselves."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from grnry.database.pool import Database
from grnry.errors import AlreadyExists, BadInput, NotFound
from grnry.identity.bootstrap import bootstrap
from grnry.identity.clients import Clients, parse_roles
from grnry.identity.issuer import Issuer, Refused, TokenRequest
from grnry.identity.keys import SigningKeys
from grnry.identity.passwords import Passwords
from grnry.identity.tokens import verified_claims

KNOWN = ("global", "project-api", "profile-api")


class Accounts:
    def __init__(self, database: Database) -> None:
        bootstrap(database, "password", "secret")
        self.clients = Clients(database)
        self.keys = SigningKeys(database)
        self.issuer = Issuer(database, self.keys, url="http://granary.test")

    def claims(self, client_id: str, secret: str) -> dict[str, Any]:
        request = TokenRequest("client_credentials", client_id, secret)
        return verified_claims(str(self.issuer.grant(request)["access_token"]), self.keys)


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database)


def test_a_client_acts_for_itself_with_its_roles(accounts: Accounts) -> None:
    secret = accounts.clients.create("importer", ["global:producer", "global:viewer"])
    claims = accounts.claims("importer", secret)
    assert claims["resource_access"] == {"global": {"roles": ["producer", "viewer"]}}
    assert (claims["azp"], claims["preferred_username"]) == ("importer", "service-account-importer")
    (listed,) = [each for each in accounts.clients.list() if each.client_id == "importer"]
    assert listed.kind == "service account"
    assert listed.roles == {"global": frozenset({"producer", "viewer"})}


@pytest.mark.parametrize("password", ["", "x", "password"])
def test_nobody_logs_in_as_its_user(accounts: Accounts, database: Database, password: str) -> None:
    accounts.clients.create("importer", [])
    name = "service-account-importer"
    with database.transaction() as transaction:  # whoever may change passwords gives it one
        statement = "update grnry.users set password_hash = {} where service_account"
        transaction.run(sql.SQL(statement).format(Passwords().hash("password")))
    with pytest.raises(Refused, match="Invalid user credentials"):
        accounts.issuer.grant(TokenRequest("password", "grnry", username=name, password=password))


def test_a_new_secret_makes_the_old_one_void(accounts: Accounts) -> None:
    old = accounts.clients.create("importer", [])
    new = accounts.clients.rotate_secret("importer")
    assert accounts.claims("importer", new)["azp"] == "importer"
    with pytest.raises(Refused, match="Invalid client"):
        accounts.claims("importer", old)


def test_a_deleted_client_is_gone_with_its_user_and_may_be_made_again(accounts: Accounts) -> None:
    secret = accounts.clients.create("importer", ["global:producer"])
    accounts.clients.delete("importer")
    with pytest.raises(Refused, match="Invalid client"):
        accounts.claims("importer", secret)
    assert accounts.claims("importer", accounts.clients.create("importer", []))["aud"] == []


def test_clients_that_are_the_platforms_are_left_alone(accounts: Accounts) -> None:
    for name in ("grnry-cli", "grnry", "global", "nobody"):
        with pytest.raises(NotFound):
            accounts.clients.delete(name)
        with pytest.raises(NotFound):
            accounts.clients.rotate_secret(name)
    for name in ("global", "GLOBAL", "project-api"):
        with pytest.raises(AlreadyExists):
            accounts.clients.create(name, [])
    accounts.clients.create("importer", [])
    with pytest.raises(AlreadyExists):
        accounts.clients.create("importer", [])


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a/b", "a\0", "é", "a" * 65, "grnry-x"])
def test_odd_names_are_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(BadInput, match="Client 'name' must"):
        accounts.clients.create(name, [])


def test_all_that_is_wrong_with_roles_is_said_and_nothing_is_made(accounts: Accounts) -> None:
    roles = ["editor", "nope:editor", "project-api:editor", "global:", "global:editor"]
    with pytest.raises(BadInput) as refused:
        accounts.clients.create("importer", roles)
    assert [problem.name for problem in refused.value.problems] == roles[:4]
    assert "importer" not in [each.client_id for each in accounts.clients.list()]


@given(st.lists(st.text(max_size=20), max_size=5))
def test_any_text_is_named_as_wrong(given_roles: list[str]) -> None:
    odd = [text for text in given_roles if text.partition(":")[0] not in KNOWN]
    if odd:
        with pytest.raises(BadInput) as refused:
            parse_roles(odd, KNOWN)
        assert [problem.name for problem in refused.value.problems] == odd


@given(
    st.from_regex(r"\S([^\n\r\0]{0,20}\S)?", fullmatch=True).filter(lambda role: "\0" not in role)
)
def test_any_role_of_a_project_may_be_given(role: str) -> None:
    assert parse_roles([f"global:{role}"], KNOWN) == [("global", role)]
