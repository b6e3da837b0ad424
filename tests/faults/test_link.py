"""The proxy passes on what it is not told to keep, and sees a COMMIT however it is cut up."""

import os
from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import PASSWORD, Postgres, free_port, wait_for
from tests.faults.frontend import Frontend
from tests.faults.link import AFTER, BEFORE, Link

STARTUP = b"\x00\x00\x00\x0d\x00\x03\x00\x00user\0"
ASK_FOR_TLS = bytes.fromhex("0000000804d2162f")


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


BATCH = b"".join(
    [
        ASK_FOR_TLS,
        STARTUP,
        message(b"Q", b"BEGIN\0"),
        message(b"Q", b"SAVEPOINT one\0"),
        message(b"d", b"Q\0\0\0\x0aCOMMIT\0" * 40),
        message(b"c", b""),
        message(b"Q", b"ROLLBACK TO SAVEPOINT one\0"),
    ]
)
COMMIT = message(b"Q", b"COMMIT\0")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_a_commit_is_seen_where_it_ends(size: int) -> None:
    frontend, told = Frontend(), BATCH + COMMIT + COMMIT
    seen = [at for at in range(0, len(told), size) if frontend.feed(told[at : at + size])]
    ends = len(BATCH) + len(COMMIT)
    assert len(seen) == 1, "the second one has copied nothing"
    assert seen[0] < ends <= seen[0] + size or size == 10_000


def test_what_is_rolled_back_has_copied_nothing() -> None:
    frontend = Frontend()
    assert not frontend.feed(BATCH + message(b"Q", b"ROLLBACK\0") + COMMIT)


@pytest.fixture
def link(postgres: Postgres) -> Iterator[Link]:
    target = ("127.0.0.1", postgres.server.port)
    made = Link(("127.0.0.1", free_port()), target, is_database=True)
    yield made
    made.close()


def connect(link: Link) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        host="127.0.0.1",
        port=link.address[1],
        user="grnry",
        password=PASSWORD,
        dbname="grnry",
        autocommit=True,
        connect_timeout=5,
    )


def copy(connection: "psycopg.Connection[tuple[object, ...]]", table: str) -> None:
    statement = f"copy {table} from stdin".encode()
    with connection.transaction(), connection.cursor().copy(statement) as lines:
        for number in range(10_000):
            lines.write_row([number])


@pytest.mark.parametrize(("where", "stored"), [(BEFORE, 0), (AFTER, 10_000)])
def test_a_commit_or_its_answer_is_lost(
    postgres: Postgres, link: Link, where: str, stored: int
) -> None:
    table = f"trap_{where}_{os.getpid()}"
    postgres.run("create table {} (number int)", table)
    link.trap_commit(where)
    with connect(link) as connection:
        connection.execute(b"select 1")
        with pytest.raises(psycopg.OperationalError):
            copy(connection, table)
    assert link.caught.is_set()
    with connect(link) as connection:
        row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
        assert row == (stored,)
        copy(connection, table)
    postgres.run("drop table {}", table)


def test_connections_are_cut_and_refused(link: Link) -> None:
    with connect(link) as connection:
        assert link.cut() == 1
        with pytest.raises(psycopg.OperationalError):
            connection.execute(b"select 1")
    link.refuse(yes=True)
    with pytest.raises(psycopg.OperationalError):
        connect(link)
    link.heal()
    connect(link).close()


def test_nothing_goes_by_while_it_is_stalled(link: Link) -> None:
    with connect(link) as connection:
        link.stall(yes=True)
        connection.pgconn.send_query(b"select 1")
        connection.pgconn.consume_input()
        assert connection.pgconn.is_busy()
        link.heal()

        def is_answered() -> bool:
            connection.pgconn.consume_input()
            return not connection.pgconn.is_busy()

        wait_for(is_answered, what="it is answered after all")
        assert connection.pgconn.get_result()
        assert connection.pgconn.get_result() is None
