"""Asks the database and the log that were given from outside whether they answer.

    python -m grnry.household.reach

The addresses are in the environment, as their passwords are in them. What they said is printed as
JSON; where one does not answer, the exit code is CANNOT_START and one sentence says why.
"""

import sys

import msgspec

from grnry.database import inspection
from grnry.database.pool import Database
from grnry.errors import CANNOT_START, GranaryError, StartError
from grnry.household.outside import Answered
from grnry.identity import store
from grnry.identity.bootstrap import ADMIN
from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.settings import Settings

LOG_SECONDS = 3.0
NOT_YET = ("authentication failed", "not permitted to log in", "role ")


def ask(settings: Settings) -> Answered:
    if settings.kafka_bootstrap:
        ask_log(Cluster.of(settings))
    if not settings.database_url:
        return Answered()
    facts = ask_database("GRNRY_DATABASE_URL", settings.database_url)
    if settings.worker_database_url:
        ask_as_worker(settings.worker_database_url)
    is_new = facts.applied == 0
    return Answered(admin_is_claimed=not is_new and is_admin_claimed(settings.database_url))


def ask_log(cluster: Cluster) -> None:
    try:
        Admin(cluster).brokers(LOG_SECONDS)
    except GranaryError as error:
        raise StartError(
            f"The log of GRNRY_KAFKA_BOOTSTRAP ({cluster.bootstrap}) does not answer: "
            f"{error.message.rstrip('.')}. Start that broker or correct the address (HOST:PORT, "
            "comma-separated), or unset it for the embedded log."
        ) from error


def ask_database(name: str, url: str) -> inspection.Facts:
    try:
        facts = inspection.look_at(url, [])
    except inspection.NotReached as error:
        raise StartError(
            f"The database of {name} does not answer: {error.message}. Start it or correct the "
            "address, or unset it for the embedded database."
        ) from error
    if facts.major < inspection.OLDEST_SERVER:
        raise StartError(
            f"The database of {name} is PostgreSQL {facts.server}. Granary needs "
            f"{inspection.OLDEST_SERVER} or newer."
        )
    return facts


def ask_as_worker(url: str) -> None:
    """A server that does not know the role yet is no obstacle: the API makes it at its start."""
    try:
        inspection.look_at(url, [])
    except inspection.NotReached as error:
        if not any(words in error.message for words in NOT_YET):
            raise StartError(
                f"The database of GRNRY_WORKER_DATABASE_URL does not answer: {error.message}. "
                "Correct the address, or unset it: then workers log in where the platform does."
            ) from error


def is_admin_claimed(url: str) -> bool:
    database = Database(url, application="grnry-up").open()
    try:
        with database.reading() as reading:
            admin = store.find_user(reading, ADMIN)
            return admin is not None and admin.claimed
    finally:
        database.close()


def main() -> int:
    try:
        answered = ask(Settings.from_environment())
    except GranaryError as error:
        print(error.message, file=sys.stderr)  # noqa: T201
        return CANNOT_START
    sys.stdout.buffer.write(msgspec.json.encode(answered))
    return 0


if __name__ == "__main__":
    sys.exit(main())
