"""The database: whether it answers, its version, its schema, its roles."""

from collections.abc import Iterator

from grnry.database.embedded import PLATFORM_ROLE, WORKER_ROLE, EmbeddedPostgres
from grnry.database.inspection import OLDEST_SERVER, Facts, NotReached, look_at
from grnry.household.doctor.finding import Finding, Part
from grnry.household.folder import DataFolder, Running
from grnry.household.outside import DATABASE, Outside

part = Part("database")


def look(folder: DataFolder, running: Running | None, outside: Outside) -> Iterator[Finding]:
    is_outside = DATABASE in running.outside if running else bool(outside.database_url)
    if is_outside:
        yield from _outside(outside)
    elif running is None:
        yield _stopped(folder)
    else:
        yield from _embedded(folder)


def _outside(outside: Outside) -> Iterator[Finding]:
    if outside.database_url:
        yield from _at(outside.database_url, "Start it, or correct GRNRY_DATABASE_URL.")
        return
    todo = "Set GRNRY_DATABASE_URL here as well, and ask again."
    yield part.warning("server", "it is from outside and its address is not known here", todo)


def _embedded(folder: DataFolder) -> Iterator[Finding]:
    secrets, ports = folder.known_secrets(), folder.last_ports()
    if secrets is None or ports is None:
        yield part.problem("server", "its password or port is not known", "See the folder above.")
        return
    passwords = secrets.platform_password, secrets.worker_password
    server = EmbeddedPostgres(folder.postgres, folder.run, ports.database, *passwords)
    url = server.url(PLATFORM_ROLE, secrets.platform_password, socket=True)
    yield from _at(url, "Look at `grnry logs postgres`.")


def _at(url: str, todo: str) -> Iterator[Finding]:
    try:
        facts = look_at(url, [WORKER_ROLE])
    except NotReached as error:
        yield part.problem("server", f"it does not answer: {error.message}", todo)
        return
    yield server(facts)
    yield connections(facts)
    yield durability(facts)
    yield schema(facts)
    yield roles(facts)


def server(facts: Facts) -> Finding:
    said = f"PostgreSQL {facts.server} answers"
    if facts.major < OLDEST_SERVER:
        return part.problem("server", said, f"Use PostgreSQL {OLDEST_SERVER} or newer.")
    return part.ok("server", said)


def connections(facts: Facts) -> Finding:
    said = f"{facts.connections} of {facts.most_connections} are taken"
    if facts.connections > facts.most_connections * 0.9:
        return part.warning("connections", said, "See pg_stat_activity for who has them.")
    return part.ok("connections", said)


def durability(facts: Facts) -> Finding:
    if not facts.is_durable:
        todo = "Set fsync = on: without it a power cut may lose what was answered as stored."
        return part.problem("durability", "fsync is off", todo)
    return part.ok("durability", "fsync is on")


def schema(facts: Facts) -> Finding:
    said = f"migration {facts.applied} of {facts.known}"
    if facts.applied > facts.known:
        return part.problem("schema", said, "It is of a newer version of Granary: start that one.")
    if facts.applied < facts.known:
        return part.warning("schema", said, "The API brings it up to date at its next start.")
    return part.ok("schema", said)


def roles(facts: Facts) -> Finding:
    if WORKER_ROLE not in facts.roles:
        todo = "The API makes it at its start where its own role may (CREATEROLE)."
        return part.problem("roles", f"the role {WORKER_ROLE} is not there", todo)
    return part.ok("roles", f"{WORKER_ROLE} is there")


def _stopped(folder: DataFolder) -> Finding:
    if not (folder.postgres / "made").exists():
        return part.ok("files", "none yet; the first `grnry up` makes them")
    try:
        version = (folder.postgres / "cluster" / "PG_VERSION").read_text().strip()
    except OSError as error:
        todo = f"Put {folder.postgres} back from a backup."
        return part.problem("files", f"they cannot be read: {error.strerror}", todo)
    if (folder.postgres / "cluster" / "postmaster.pid").exists():
        said = f"of PostgreSQL {version}; it was killed, and recovers at the next start"
        return part.ok("files", said)
    return part.ok("files", f"of PostgreSQL {version}, shut down in order")
