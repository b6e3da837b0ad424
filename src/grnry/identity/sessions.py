"""Logins that may be refreshed: each is a line of refresh tokens, of which the last one counts.

A refresh token that comes a second time was copied, and nobody can tell which of the two callers is
the thief: the session ends for both. Only right after its use may it come again, as an answer may
be lost on its way, or two programs may share a login.
"""

from dataclasses import dataclass
from enum import Enum

from grnry.database.queries import load
from grnry.database.transaction import Transaction

REFRESH_SECONDS = 1800
REPEAT_SECONDS = 10
_CLEARED_AT_ONCE = 100

queries = load(__package__, "sessions.sql")


class Use(Enum):
    """What the use of a refresh token means."""

    NEXT = "the next one takes its place"
    REPEATED = "the caller may have missed the answer, and gets it again"
    REUSED = "it was copied"
    UNKNOWN = "its session is over"


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    generation: int


def judge(given: int, last: int, seconds_since_rotation: float) -> Use:
    if given == last:
        return Use.NEXT
    if given == last - 1 and seconds_since_rotation < REPEAT_SECONDS:
        return Use.REPEATED
    return Use.REUSED


def begin(transaction: Transaction, user_id: str, client_id: str, now: float) -> Session:
    """A new session; whoever begins one also clears away some that have run out."""
    transaction.run(queries.clear_sessions, now=now, most=_CLEARED_AT_ONCE)
    session_id = transaction.value(
        queries.add_session,
        user_id=user_id,
        client_id=client_id,
        now=now,
        expires=now + REFRESH_SECONDS,
    )
    return Session(session_id, 1)


def take(transaction: Transaction, given: Session, now: float) -> tuple[Use, Session]:
    """Use a refresh token; answers what its successor says where there is to be one."""
    row = transaction.row(queries.lock_session, id=given.id, now=now)
    if row is None:
        return Use.UNKNOWN, given
    last = int(row["generation"])
    use = judge(given.generation, last, now - float(row["rotated"]))
    if use is Use.REUSED:
        end(transaction, given.id)
    if use is Use.NEXT:
        last += 1
        transaction.run(
            queries.rotate_session,
            id=given.id,
            generation=last,
            now=now,
            expires=now + REFRESH_SECONDS,
        )
    return use, Session(given.id, last)


def end(transaction: Transaction, session_id: str) -> None:
    transaction.run(queries.end_session, id=session_id)
