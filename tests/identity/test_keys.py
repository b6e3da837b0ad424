"""Signing keys: one at first, whoever starts; a new one takes over without a refused token."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import sql

from grnry.database.pool import Database
from grnry.identity import keys as module
from grnry.identity.keys import SigningKeys, choose_signing
from grnry.identity.store import StoredKey


def test_many_processes_start_at_once_and_make_one_key(database: Database) -> None:
    with ThreadPoolExecutor(6) as threads:
        kids = list(threads.map(lambda _: SigningKeys(database).signing_key().kid, range(6)))
    assert len(set(kids)) == 1
    (published,) = SigningKeys(database).published()["keys"]
    assert published["kid"] == kids[0]
    assert published["use"] == "sig"
    assert published["alg"] == "RS256"
    assert not {"d", "p", "q"} & set(published)


def stored(kid: str, created: float) -> StoredKey:
    return StoredKey(kid, "", created)


@pytest.mark.parametrize(
    ("ages", "signs"),
    [([0], 0), ([0, 500], 1), ([59, 500], 1), ([60, 500], 0), ([10, 70, 500], 1), ([5, 20], 1)],
)
def test_a_key_signs_once_it_has_been_published_for_a_while(ages: list[int], signs: int) -> None:
    youngest_first = [stored(str(number), 1000.0 - age) for number, age in enumerate(ages)]
    assert choose_signing(youngest_first, 1000.0) == str(signs)


def test_another_process_learns_a_rotated_key(database: Database) -> None:
    moment = 0.0
    one, two = SigningKeys(database), SigningKeys(database, lambda: moment)
    first = two.signing_key().kid
    second = one.rotate()
    assert one.key(second) is not None
    assert one.signing_key().kid == first, "it is published, and does not sign yet"

    assert two.key(second) is None, "a look into the database each time would be a storm"
    moment += module.REREAD_SECONDS
    assert two.key(second) is not None
    assert two.key(str(first)) is not None


def test_a_process_that_only_verifies_learns_what_is_dropped(database: Database) -> None:
    moment = 0.0
    keys = SigningKeys(database, lambda: moment)
    first = str(keys.signing_key().kid)
    SigningKeys(database).rotate()
    with database.transaction() as transaction:
        transaction.run(sql.SQL("delete from grnry.signing_keys where kid = {}").format(first))
    assert keys.key(first) is not None
    moment += module.REFRESH_SECONDS
    assert keys.key(first) is None


def test_what_each_key_is_for_is_listed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = SigningKeys(database)
    assert keys.list() == []
    first = keys.signing_key().kid
    second = keys.rotate()
    assert [(key.kid, key.state) for key in keys.list()] == [
        (second, "published, signs soon"),
        (first, "signs"),
    ]
    monkeypatch.setattr(module, "PUBLISHED_SECONDS", 0)
    assert [key.state for key in keys.list()] == ["signs", "verifies"]
    monkeypatch.setattr(module, "GRACE_SECONDS", 0)
    assert [key.state for key in keys.list()] == ["signs", "over"]
    (published,) = SigningKeys(database).published()["keys"]
    assert published["kid"] == second


def test_superseded_keys_are_dropped_when_no_token_of_theirs_lives(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = SigningKeys(database)
    first = str(keys.signing_key().kid)
    second = keys.rotate()
    third = keys.rotate()
    assert all(keys.key(kid) for kid in (first, second, third))
    monkeypatch.setattr(module, "GRACE_SECONDS", 0)
    fourth = keys.rotate()
    assert [keys.key(kid) for kid in (first, second, third)] == [None] * 3
    assert keys.key(fourth) is not None
