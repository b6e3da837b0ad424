from dataclasses import replace

import pytest

from grnry.event_types.model import Draft

GOOD = Draft(
    "Calls",
    correlation_id_expression="payload.user",
    event_id_expression="payload.id",
    timestamp_expression="#nowMillis()",
)


def wrong(draft: Draft) -> dict[str, str]:
    return {problem.name: problem.reason for problem in draft.problems()}


def test_defaults_need_three_fields_only() -> None:
    assert wrong(GOOD) == {}
    assert set(wrong(Draft(""))) == {
        "displayName",
        "correlationIdExpression",
        "eventIdExpression",
        "timestampExpression",
    }


def test_everything_that_is_wrong_is_told() -> None:
    draft = Draft(
        "x" * 257,
        correlation_id_expression="(",
        event_id_expression=" ",
        timestamp_expression="",
        deletion_expression="new Object()",
        eventstore_ttl="",
        replication=0,
        partition_count=0,
        retention_ms=0,
    )
    assert set(wrong(draft)) == {
        "displayName",
        "correlationIdExpression",
        "eventIdExpression",
        "timestampExpression",
        "deletionExpression",
        "eventstoreTTL",
        "replication",
        "partitionCount",
        "retentionMs",
    }


@pytest.mark.parametrize(("least", "most"), [(1, 1000)])
def test_limits_are_included(least: int, most: int) -> None:
    assert wrong(replace(GOOD, partition_count=least)) == {}
    assert wrong(replace(GOOD, partition_count=most)) == {}
    assert wrong(replace(GOOD, partition_count=most + 1)) == {
        "partitionCount": "must be in between 1 and 1000 but is '1001'"
    }
