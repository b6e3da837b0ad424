"""Projects in a real database: made whole or not at all."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from grnry.database.pool import Database
from grnry.identity import store as identities
from grnry.identity.bootstrap import bootstrap
from grnry.identity.model import Identity
from grnry.projects import credentials
from grnry.projects.model import Draft
from grnry.projects.service import Projects
from tests.conftest import Postgres

# Roles are of the whole server, which all tests share.
PREFIX = f"t{os.getpid() % 10_000}"


def caller(database: Database) -> Identity:
    bootstrap(database, "correct horse", "")
    with database.transaction() as transaction:
        admin = identities.find_user(transaction, "admin")
    assert admin
    return Identity(admin.id, "admin", "Administrator", "a@example.com")


def log_in(postgres: Postgres, database_name: str, secrets: Path, project: str) -> str:
    """Whom the database takes the project's role for."""
    known = credentials.read(secrets, project)
    assert known
    url = postgres.url(database_name, "ROLE").replace(":for-tests@", f":{known.password}@")
    with psycopg.connect(url.replace("ROLE", known.username)) as connection:
        row = connection.execute("select current_user").fetchone()
    assert row
    return str(row[0])


@pytest.fixture
def cleaned(database: Database) -> Iterator[Database]:
    """Drops the roles of the projects that were made, which are of the whole server."""
    yield database
    with database.transaction() as transaction:
        for row in transaction.rows(sql.SQL("select name from grnry.projects")):
            if row["name"] != "global":
                role = sql.Identifier(credentials.role_of(row["name"]))
                transaction.run(sql.SQL("drop owned by {} cascade").format(role))
                transaction.run(sql.SQL("drop role {}").format(role))


def test_all_that_makes_a_project(
    cleaned: Database, database_name: str, postgres: Postgres, tmp_path: Path
) -> None:
    me = caller(cleaned)
    made = Projects(cleaned, tmp_path).create(me, Draft(f"{PREFIX} shop", "what we sell"))
    name = f"{PREFIX}-shop"
    assert (made.name, made.display_name, made.description) == (
        name,
        f"{PREFIX} shop",
        "what we sell",
    )
    assert (
        made.created_by == made.modified_by == {"name": "Administrator", "email": "a@example.com"}
    )
    with cleaned.transaction() as transaction:
        assert identities.roles_of(transaction, me.subject)[name] == {"data_owner", "editor"}
        assert identities.find_client(transaction, name) is not None
    assert log_in(postgres, database_name, tmp_path, name) == f"grnry_project_{name}"


@pytest.mark.parametrize("subject", ["auth0|4711", "00000000-0000-0000-0000-000000000001"])
def test_whom_the_built_in_issuer_does_not_know_gets_no_roles_here(
    subject: str, cleaned: Database, tmp_path: Path
) -> None:
    made = Projects(cleaned, tmp_path).create(Identity(subject, "eve"), Draft(f"{PREFIX} out"))
    query = sql.SQL("select count(*) from grnry.user_roles where client = %(name)s")
    with cleaned.transaction() as transaction:
        assert transaction.value(query, name=made.name) == 0


def test_many_of_one_name_at_once(cleaned: Database, tmp_path: Path) -> None:
    me, projects = caller(cleaned), Projects(cleaned, tmp_path)
    with ThreadPoolExecutor(6) as threads:
        drafts = [Draft(f"{PREFIX} same"), Draft(f"{PREFIX} SAME")] * 3
        names = [made.name for made in threads.map(lambda each: projects.create(me, each), drafts)]
    assert len({name.lower() for name in names}) == 6
    plain = [name for name in names if name.lower() == f"{PREFIX}-same"]
    assert len(plain) == 1
    assert all(name[-4:].isdecimal() for name in names if name not in plain)
    assert {path.name for path in tmp_path.iterdir()} == {
        credentials.file_of(tmp_path, name).name for name in names
    }


@pytest.mark.parametrize("what", ["schema", "client"])
def test_what_is_there_already_is_not_taken_over(
    what: str, cleaned: Database, tmp_path: Path
) -> None:
    me, name = caller(cleaned), f"{PREFIX}-Mine"
    with cleaned.transaction() as transaction:
        if what == "schema":
            transaction.run(sql.SQL("create schema {}").format(sql.Identifier(name.lower())))
        else:
            identities.add_public_client(transaction, name.lower())
    made = Projects(cleaned, tmp_path).create(me, Draft(f"{PREFIX} Mine"))
    assert made.name != name
    assert made.name.startswith(f"{PREFIX}-")


# In a process of its own: does one step of making a project, and is killed before the next.
KILLED = """
import os, signal, sys
from pathlib import Path
from grnry.database.pool import Database
from grnry.identity.model import Identity
from grnry.projects import service
from grnry.projects.model import Draft

url, secrets, subject, display_name, step = sys.argv[1:]
owner, _, function = step.rpartition(".")
place = getattr(service, owner) if owner else service
do = getattr(place, function, None)

def do_and_die(*values, **named):
    do(*values, **named)
    os.kill(os.getpid(), signal.SIGKILL)

if step != "create":
    setattr(place, function, do_and_die)
projects = service.Projects(Database(url).open(), Path(secrets))
projects.create(Identity(subject, "admin"), Draft(display_name))
os.kill(os.getpid(), signal.SIGKILL)
"""

STEPS = ["store.lock", "store.add", "ensure_role", "identities.add_public_client"]


@pytest.mark.parametrize("step", [*STEPS, "identities.grant_roles", "create"])
def test_killed_between_two_steps(
    step: str,
    cleaned: Database,
    database_url: str,
    database_name: str,
    postgres: Postgres,
    tmp_path: Path,
) -> None:
    me = caller(cleaned)
    words = [database_url, str(tmp_path), me.subject, f"{PREFIX} killed", step]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    projects, name = Projects(cleaned, tmp_path), f"{PREFIX}-killed"
    projects.heal()
    assert projects.exists(name) is (step == "create")
    with cleaned.transaction() as transaction:
        assert (name in identities.roles_of(transaction, me.subject)) is (step == "create")
    if step != "create":
        assert projects.create(me, Draft(f"{PREFIX} killed")).name == name
    assert log_in(postgres, database_name, tmp_path, name) == f"grnry_project_{name}"


def test_a_secret_that_cannot_be_kept_leaves_no_project(cleaned: Database, tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_text("in the way")
    me, projects = caller(cleaned), Projects(cleaned, folder)
    with pytest.raises(OSError, match="file"):
        projects.create(me, Draft(f"{PREFIX} full"))
    assert not projects.exists(f"{PREFIX}-full")


def test_a_lost_secret_is_made_anew_at_the_start(
    cleaned: Database, database_name: str, postgres: Postgres, tmp_path: Path
) -> None:
    projects = Projects(cleaned, tmp_path)
    name = projects.create(caller(cleaned), Draft(f"{PREFIX} lost")).name
    credentials.file_of(tmp_path, name).unlink()
    projects.heal()
    assert log_in(postgres, database_name, tmp_path, name) == f"grnry_project_{name}"


def test_a_project_is_known_to_a_process_that_did_not_make_it(
    cleaned: Database, tmp_path: Path
) -> None:
    one, other = Projects(cleaned, tmp_path), Projects(cleaned, tmp_path)
    assert other.recall("global")
    assert not other.exists(f"{PREFIX}-known")
    one.create(caller(cleaned), Draft(f"{PREFIX} known"))
    assert not other.recall(f"{PREFIX}-known")
    assert other.exists(f"{PREFIX}-known")
    assert other.recall(f"{PREFIX}-known")
