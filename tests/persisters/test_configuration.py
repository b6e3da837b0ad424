import pytest

from grnry.deployments.model import Resources
from grnry.persisters import configuration
from grnry.persisters.configuration import (
    DEFAULT_APP_CONFIG,
    DEFAULT_DEPLOYER_CONFIG,
    Config,
    masked,
    problems,
    unmasked,
    with_defaults,
    without_defaults,
)

URL = "jdbc:postgresql://db:5432/events?currentSchema=public"


def reasons(app: Config, deployer: Config | None = None, stored: Config | None = None) -> list[str]:
    return [each.sentence for each in problems(app, deployer or {}, stored or {})]


def test_the_defaults_are_right() -> None:
    assert reasons(DEFAULT_APP_CONFIG, DEFAULT_DEPLOYER_CONFIG) == []
    assert configuration.replicas_of({}) == 1
    assert configuration.batch_of({}) == (5000, 200)
    assert configuration.resources_of({}) == Resources(
        memory_bytes=512 * 2**20, cpu_millis=500, ready_seconds=120, silent_seconds=120
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eventstore.tablename", "public.eventstore"),
        ("eventstore.tableName", '"public"."eventstore"'),
        ("EVENTSTORE.BATCHSIZE", "1"),
        ("eventstore.batchSize", "100000"),
        ("eventstore.batchTimeout", "0"),
        ("eventstore.ttlGracePeriod", "P1Y2M3DT4H5M6S"),
        ("eventstore.deadLetter", "TRUE"),
        ("spring.cloud.stream.bindings.input.consumer.concurrency", "64"),
        ("spring.datasource.url", URL),
        ("spring.datasource.url", "${database-url}"),
        ("spring.datasource.password", "${superuser-password}"),
        ("anything", "else"),
    ],
)
def test_what_is_right(key: str, value: str) -> None:
    assert reasons({key: value}) == []


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("eventstore.tablename", "a.b.c", "must be the name of a table with its schema, as in SQL"),
        ("eventstore.tablename", "grnry.leases", "must not be in a schema of PostgreSQL's or"),
        ("eventstore.tablename", 'PG_catalog."pg_class"', "must not be in a schema of PostgreSQL"),
        ("eventstore.batchSize", "0", "must be a number from 1 to 100000 but is '0'."),
        ("eventstore.batchsize", "", "must be a number from 1 to 100000 but is ''."),
        ("eventstore.batchSize", "٣", "must be a number from 1 to 100000 but is '٣'."),
        ("eventstore.batchSize", "1" * 5000, "must be a number from 1 to 100000 but is '1111"),
        ("eventstore.batchTimeout", "-1", "must be a number from 0 to 60000 but is '-1'."),
        ("eventstore.ttlGracePeriod", "5 days", "must be an ISO 8601 duration such as P5D"),
        ("eventstore.deadLetter", "no", "must be 'true' or 'false' but is 'no'."),
        ("spring.datasource.url", "postgresql://db/x", "must be an address such as"),
        ("spring.datasource.url", "jdbc:postgresql://db:x/y", "must be an address such as"),
        ("spring.datasource.url", "jdbc:postgresql://u:p@db/x", "must not hold a login"),
        ("spring.datasource.url", URL + "&password=p", "must not hold a login"),
        ("spring.datasource.url", URL + "&User=p", "must not hold a login"),
        ("spring.datasource.url", URL + "&sslmode=maybe", "must have one of disable, allow,"),
        ("spring.datasource.url", "jdbc:postgresql://%2Ftmp/x", "must be an address such as"),
        ("spring.datasource.url", "jdbc:postgresql://a,b/x", "must be an address such as"),
    ],
)
def test_what_is_wrong_with_an_application(key: str, value: str, reason: str) -> None:
    (sentence,) = reasons({key: value})
    assert sentence.startswith(f"Parameter 'appConfig.{key}' {reason}")


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("kubernetes.limits.cpu", "0", "must be a share of cores such as 500m or 2"),
        ("kubernetes.requests.cpu", "half", "must be a share of cores such as 500m or 2"),
        ("kubernetes.limits.memory", "512MB", "must be a size of at least 32Mi such as 512Mi"),
        ("kubernetes.limits.memory", "1Mi", "must be a size of at least 32Mi such as 512Mi"),
        ("kubernetes.requests.memory", "", "must be a size of at least 32Mi such as 512Mi"),
        ("kubernetes.livenessprobedelay", "1", "must be a number from 10 to 3600"),
        ("kubernetes.readinessProbeDelay", "soon", "must be a number from 1 to 3600"),
    ],
)
def test_what_is_wrong_with_a_deployment(key: str, value: str, reason: str) -> None:
    (sentence,) = reasons({}, {key: value})
    assert sentence == f"Parameter 'deployerConfig.{key}' {reason} but is '{value}'."


def test_everything_that_is_wrong_is_named() -> None:
    app = {"eventstore.batchSize": "1", "eventstore.batchsize": "x"}
    found = [each.name for each in problems(app, {"kubernetes.limits.cpu": "x"}, {})]
    assert found == [
        "appConfig.eventstore.batchsize",
        "appConfig.eventstore.batchsize",
        "deployerConfig.kubernetes.limits.cpu",
    ]


@pytest.mark.parametrize(
    ("cpu", "memory", "millis", "taken"),
    [
        ("500m", "512Mi", 500, 512 * 2**20),
        ("2", "1Gi", 2000, 2**30),
        ("0.25", "500M", 250, 500 * 10**6),
        ("1.5", "134217728", 1500, 2**27),
        ("1", "65536Ki", 1000, 2**26),
        ("1", "50000000k", 1000, 5 * 10**10),
    ],
)
def test_quantities_of_kubernetes(cpu: str, memory: str, millis: int, taken: int) -> None:
    given = {"kubernetes.limits.cpu": cpu, "kubernetes.limits.memory": memory}
    assert reasons({}, given) == []
    found = configuration.resources_of(given)
    assert (found.cpu_millis, found.memory_bytes) == (millis, taken)


def test_case_does_not_matter_for_what_acts() -> None:
    assert configuration.batch_of({"EventStore.BatchSize": "7"}) == (7, 200)
    given = {"Spring.Cloud.Stream.Bindings.Input.Consumer.Concurrency": "3"}
    assert configuration.replicas_of(given) == 3


def test_defaults_are_merged_under_what_is_given_and_taken_out_again() -> None:
    given = {"EVENTSTORE.batchsize": "7", "x": "y"}
    merged = with_defaults(given, DEFAULT_APP_CONFIG)
    assert len(merged) == len(DEFAULT_APP_CONFIG) + 1
    assert without_defaults(merged, DEFAULT_APP_CONFIG) == given
    assert without_defaults(DEFAULT_APP_CONFIG, DEFAULT_APP_CONFIG) == {}


def test_a_password_is_never_shown_and_a_placeholder_is() -> None:
    stored = {
        "spring.datasource.password": "secret",
        "spring.datasource.username": "u",
        "other.Password": "${name}",
        "empty.password": "",
    }
    shown = masked(stored)
    assert shown == {**stored, "spring.datasource.password": "******"}
    assert unmasked(shown, stored) == stored
    renamed = {"Spring.Datasource.PASSWORD": "******"}
    assert unmasked(renamed, stored) == {"Spring.Datasource.PASSWORD": "secret"}


def test_a_password_that_is_not_stored_cannot_be_kept() -> None:
    sent = {"spring.datasource.password": "******"}
    (sentence,) = reasons(sent)
    assert sentence.endswith("must be given, as none is stored.")


def test_a_password_does_not_go_to_another_host() -> None:
    stored = {"spring.datasource.password": "secret", "spring.datasource.url": URL}
    sent = {**stored, "spring.datasource.password": "******"}
    assert reasons(sent, stored=stored) == []
    elsewhere = {**sent, "spring.datasource.url": "jdbc:postgresql://mine/x"}
    (sentence,) = reasons(elsewhere, stored=stored)
    assert sentence.endswith("must be given again, as spring.datasource.url changes.")
