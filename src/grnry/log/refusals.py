"""What brokers refuse, as errors of ours."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from grnry.errors import AlreadyExists, GranaryError, InUse, NotFound
from grnry.log.records import CommitRefused, LogAway, LogRefused

T = TypeVar("T")

SECONDS = 5.0

AWAY = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - the library's own names
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError._SSL,  # noqa: SLF001
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
    }
)
LOST_PLACE = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError._STATE,  # noqa: SLF001
        KafkaError._FENCED,  # noqa: SLF001
    }
)
_KINDS: dict[int, type[GranaryError]] = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: NotFound,
    KafkaError._UNKNOWN_TOPIC: NotFound,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION: NotFound,  # noqa: SLF001
    KafkaError.GROUP_ID_NOT_FOUND: NotFound,
    KafkaError.TOPIC_ALREADY_EXISTS: AlreadyExists,
    KafkaError.NON_EMPTY_GROUP: InUse,
    KafkaError.GROUP_SUBSCRIBED_TO_TOPIC: InUse,
}


def translated(error: KafkaError) -> GranaryError:
    if error.code() in AWAY:
        return LogAway(str(error.str()))
    return _KINDS.get(error.code(), LogRefused)(str(error.str()))


@contextmanager
def refusals() -> Iterator[None]:
    """What the library raises becomes ours."""
    try:
        yield
    except KafkaException as error:
        raise translated(error.args[0]) from error


@contextmanager
def commit_refusals() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        found = error.args[0]
        if found.code() in LOST_PLACE:
            raise CommitRefused(f"{CommitRefused.__doc__} ({found.str()})") from error
        raise translated(found) from error


def result(future: "Future[T]") -> T:
    with refusals():
        try:
            return future.result(SECONDS + 5)
        except TimeoutError as error:
            raise LogAway from error


def unless(expected: int, future: "Future[None]") -> bool:
    """False where it is refused with the code that is expected."""
    try:
        future.result(SECONDS + 5)
    except TimeoutError as error:
        raise LogAway from error
    except KafkaException as error:
        if error.args[0].code() == expected:
            return False
        raise translated(error.args[0]) from error
    return True
