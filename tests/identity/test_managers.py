"""Somebody can always manage users: on a database of its own, as it would lock out all others."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from grnry.database.pool import Database
from grnry.errors import InUse
from grnry.identity.bootstrap import bootstrap
from grnry.identity.model import PROJECT_API, USER_MANAGER
from grnry.identity.users import Account, AccountDraft, Change, Users

ROLE = (PROJECT_API, USER_MANAGER)


def whatever(_: Account) -> None:
    """Whichever version is stored."""


@pytest.fixture
def users(database: Database) -> Users:
    bootstrap(database, "a password for tests", "secret")
    return Users(database)


@pytest.fixture
def admin(users: Users) -> str:
    (found,) = users.page("admin", 20, 0).accounts
    return found.id


@pytest.fixture
def other(users: Users) -> str:
    made = users.create(AccountDraft("other", "a password for tests"))
    users.grant(made.id, *ROLE)
    return made.id


def ways_out(users: Users, user_id: str) -> list[Callable[[], object]]:
    return [
        lambda: users.change(user_id, Change(enabled=False), whatever),
        lambda: users.delete(user_id, whatever),
        lambda: users.revoke(user_id, *ROLE),
    ]


def managers(users: Users) -> list[str]:
    found = [users.find(each.id) for each in users.page("", 20, 0).accounts]
    return [
        each.username
        for each in found
        if each.enabled and USER_MANAGER in each.roles.get(PROJECT_API, ())
    ]


def test_the_only_one_stays(users: Users, admin: str) -> None:
    for leave in ways_out(users, admin):
        with pytest.raises(InUse, match="nobody else could manage users"):
            leave()
    assert managers(users) == ["admin"]


def test_one_of_two_may_go_and_the_other_stays(users: Users, admin: str, other: str) -> None:
    users.revoke(admin, *ROLE)
    for leave in ways_out(users, other):
        with pytest.raises(InUse, match="nobody else could manage users"):
            leave()
    users.grant(admin, *ROLE)
    users.delete(other, whatever)
    assert managers(users) == ["admin"]


def test_one_who_is_disabled_counts_for_nobody(users: Users, admin: str, other: str) -> None:
    users.change(other, Change(enabled=False), whatever)
    with pytest.raises(InUse, match="nobody else could manage users"):
        users.revoke(admin, *ROLE)


def test_who_a_client_acts_as_is_not_deleted(users: Users, admin: str, other: str) -> None:
    with pytest.raises(InUse, match="grnry-cli acts as them"):
        users.delete(admin, whatever)
    assert sorted(managers(users)) == ["admin", "other"]


@pytest.mark.parametrize("way", range(3))
def test_two_cannot_leave_at_once(users: Users, admin: str, other: str, way: int) -> None:
    third = users.create(AccountDraft("third", "a password for tests")).id
    users.grant(third, *ROLE)
    users.revoke(admin, *ROLE)

    def leave(user_id: str) -> bool:
        try:
            ways_out(users, user_id)[way]()
        except InUse:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        left = list(threads.map(leave, (other, third)))
    assert sorted(left) == [False, True]
    assert len(managers(users)) == 1
