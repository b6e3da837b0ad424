"""A persister's configuration: its keys, their defaults, what they mean for what runs. Pure.

The case of a key does not matter. Those that are not known here are kept and given back.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from grnry.deployments.model import Resources
from grnry.errors import Problem
from grnry.persisters import datasource
from grnry.persisters.datasource import PLACEHOLDER, Datasource

Config = Mapping[str, str]

TABLE = "eventstore.tablename"
BATCH_SIZE = "eventstore.batchSize"
BATCH_TIMEOUT = "eventstore.batchTimeout"
TTL_GRACE_PERIOD = "eventstore.ttlGracePeriod"
DEAD_LETTER = "eventstore.deadLetter"
CONCURRENCY = "spring.cloud.stream.bindings.input.consumer.concurrency"
DATASOURCE_URL = "spring.datasource.url"
DATASOURCE_USERNAME = "spring.datasource.username"
DATASOURCE_PASSWORD = "spring.datasource.password"  # noqa: S105 - the name of the key
LIMIT_CPU, REQUEST_CPU = "kubernetes.limits.cpu", "kubernetes.requests.cpu"
LIMIT_MEMORY, REQUEST_MEMORY = "kubernetes.limits.memory", "kubernetes.requests.memory"
READY, ALIVE = "kubernetes.readinessProbeDelay", "kubernetes.livenessProbeDelay"

DEFAULT_APP_CONFIG: Config = {
    TABLE: "public.eventstore",
    BATCH_SIZE: "5000",
    BATCH_TIMEOUT: "200",
    TTL_GRACE_PERIOD: "P5D",
    DEAD_LETTER: "true",
    CONCURRENCY: "1",
    "spring.cloud.stream.bindings.input.consumer.partitioned": "true",
}

DEFAULT_DEPLOYER_CONFIG: Config = {
    LIMIT_CPU: "500m",
    REQUEST_CPU: "500m",
    LIMIT_MEMORY: "512Mi",
    REQUEST_MEMORY: "512Mi",
    ALIVE: "120",
    READY: "120",
}

EVENT_STORE = ("public", "eventstore")
"""The platform's own table."""

_OURS = ("grnry", "information_schema")
LEAST_MEMORY = 32 * 2**20
MASK = "******"
_DURATION = re.compile(
    r"P(?=\d|T\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?", re.ASCII
)
_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(m|k|[KMGT]i|[MGT])?", re.ASCII)
_UNITS: Mapping[str, Decimal] = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}


def value_of(config: Config, key: str) -> str | None:
    """The value of a key, whatever its case."""
    return next((value for name, value in config.items() if name.lower() == key.lower()), None)


def _known(config: Config, key: str) -> str:
    defaults = {**DEFAULT_APP_CONFIG, **DEFAULT_DEPLOYER_CONFIG}
    return value_of(config, key) or defaults[key]


# Defaults -----------------------------------------------------------------------------------------


def with_defaults(config: Config, defaults: Config) -> dict[str, str]:
    """What is given, and the defaults of what is not."""
    given = {name.lower() for name in config}
    return {**{k: v for k, v in defaults.items() if k.lower() not in given}, **config}


def without_defaults(config: Config, defaults: Config) -> dict[str, str]:
    """Only what is not as it would be anyway."""
    usual = {name.lower(): value for name, value in defaults.items()}
    return {name: value for name, value in config.items() if usual.get(name.lower()) != value}


# Passwords ----------------------------------------------------------------------------------------


def is_secret(key: str) -> bool:
    return key.lower().endswith("password")


def masked(config: Config) -> dict[str, str]:
    """What users are shown: a placeholder as it is, a password as none."""
    return {
        key: MASK if is_secret(key) and value and not PLACEHOLDER.fullmatch(value) else value
        for key, value in config.items()
    }


def unmasked(config: Config, stored: Config) -> dict[str, str]:
    """What is kept: who sends back what was shown keeps what is stored."""
    return {
        key: value_of(stored, key) or MASK if is_secret(key) and value == MASK else value
        for key, value in config.items()
    }


# What is wrong ------------------------------------------------------------------------------------


def problems(app: Config, deployer: Config, stored: Config) -> Iterator[Problem]:
    """Each key whose value cannot be; the values as they were sent."""
    for name, config, checks in (
        ("appConfig", app, _APP_CHECKS),
        ("deployerConfig", deployer, _DEPLOYER_CHECKS),
    ):
        yield from _twice(name, config)
        for key, value in config.items():
            check = checks.get(key.lower())
            if check is not None and (reason := check(value)):
                shown = MASK if reason == datasource.HAS_LOGIN else value[:100]
                yield Problem(f"{name}.{key}", f"{reason} but is '{shown}'")
    yield from _lost_passwords(app, stored)


def _twice(name: str, config: Config) -> Iterator[Problem]:
    seen: set[str] = set()
    for key in config:
        if key.lower() in seen:
            yield Problem(f"{name}.{key}", "is given twice, as case does not matter")
        seen.add(key.lower())


def _lost_passwords(app: Config, stored: Config) -> Iterator[Problem]:
    is_moved = value_of(app, DATASOURCE_URL) != value_of(stored, DATASOURCE_URL)
    for key, value in app.items():
        if not is_secret(key) or value != MASK:
            continue
        if not value_of(stored, key):
            yield Problem(f"appConfig.{key}", "must be given, as none is stored")
        elif is_moved and key.lower().startswith("spring.datasource."):
            # Else who may change the address could have the password sent to a host of theirs.
            yield Problem(f"appConfig.{key}", f"must be given again, as {DATASOURCE_URL} changes")


def _natural(least: int, most: int) -> Callable[[str], str]:
    def check(value: str) -> str:
        is_one = value.isascii() and value.isdecimal() and len(value) < 12
        if is_one and least <= int(value) <= most:
            return ""
        return f"must be a number from {least} to {most}"

    return check


def _table(value: str) -> str:
    found = datasource.table_name(value)
    if found is None:
        return "must be the name of a table with its schema, as in SQL, such as public.eventstore"
    schema = found[0].lower()
    is_ours = schema in _OURS or schema.startswith("pg_")
    return "must not be in a schema of PostgreSQL's or Granary's own," if is_ours else ""


def _duration(value: str) -> str:
    is_one = len(value) < 64 and _DURATION.fullmatch(value)
    return "" if is_one else "must be an ISO 8601 duration such as P5D"


def _dead_letter(value: str) -> str:
    return "" if value.lower() in ("true", "false") else "must be 'true' or 'false'"


def _quantity(value: str) -> Decimal | None:
    found = _QUANTITY.fullmatch(value)
    return None if found is None else Decimal(found[1]) * _UNITS[found[2] or ""]


def _cpu(value: str) -> str:
    cores = _quantity(value)
    is_one = cores is not None and Decimal("0.001") <= cores <= 1024
    return "" if is_one else "must be a share of cores such as 500m or 2"


def _memory(value: str) -> str:
    taken = _quantity(value)
    is_one = taken is not None and LEAST_MEMORY <= taken <= 2**50
    return "" if is_one else "must be a size of at least 32Mi such as 512Mi"


_APP_CHECKS: Mapping[str, Callable[[str], str]] = {
    TABLE: _table,
    BATCH_SIZE.lower(): _natural(1, 100_000),
    BATCH_TIMEOUT.lower(): _natural(0, 60_000),
    TTL_GRACE_PERIOD.lower(): _duration,
    DEAD_LETTER.lower(): _dead_letter,
    CONCURRENCY: _natural(1, 64),
    DATASOURCE_URL: datasource.problem_of,
}
_DEPLOYER_CHECKS: Mapping[str, Callable[[str], str]] = {
    LIMIT_CPU: _cpu,
    REQUEST_CPU: _cpu,
    LIMIT_MEMORY: _memory,
    REQUEST_MEMORY: _memory,
    READY.lower(): _natural(1, 3600),
    ALIVE.lower(): _natural(10, 3600),
}


# What it means ------------------------------------------------------------------------------------


def replicas_of(app: Config) -> int:
    return int(_known(app, CONCURRENCY))


def batch_of(app: Config) -> tuple[int, int]:
    """How many records, and how many milliseconds it fills up at the longest."""
    return int(_known(app, BATCH_SIZE)), int(_known(app, BATCH_TIMEOUT))


def resources_of(deployer: Config) -> Resources:
    cpu = _quantity(_known(deployer, LIMIT_CPU)) or Decimal(1)
    memory = _quantity(_known(deployer, LIMIT_MEMORY)) or Decimal(0)
    return Resources(
        memory_bytes=int(memory),
        cpu_millis=int(cpu * 1000),
        ready_seconds=float(_known(deployer, READY)),
        silent_seconds=float(_known(deployer, ALIVE)),
    )


def grace_of(app: Config) -> str:
    """How long an event is kept whose deletion was asked for."""
    return _known(app, TTL_GRACE_PERIOD)


def has_dead_letters(app: Config) -> bool:
    """Whether what cannot be stored is put aside; else the first such record ends the worker."""
    return _known(app, DEAD_LETTER).lower() == "true"


def datasource_of(app: Config) -> Datasource | None:
    """The database that is named, where one is."""
    return datasource.read(
        value_of(app, DATASOURCE_URL) or "",
        value_of(app, DATASOURCE_USERNAME) or "",
        value_of(app, DATASOURCE_PASSWORD) or "",
    )


def table_of(app: Config) -> tuple[str, str]:
    """Schema and name of the table that is named."""
    named = datasource_of(app)
    found = datasource.table_name(_known(app, TABLE), named.schema if named else "public")
    return found or EVENT_STORE
