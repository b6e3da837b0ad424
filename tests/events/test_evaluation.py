import pytest

from grnry.errors import BadInput
from grnry.events.evaluation import evaluate

EVENT = {"user": "u1", "id": 7, "at": 1_700_000_000_000, "gone": "TRUE"}


def wrong(expressions: dict[str, str]) -> dict[str, str]:
    with pytest.raises(BadInput) as caught:
        evaluate(expressions, EVENT, {"source": "web"})
    return {problem.name: problem.reason for problem in caught.value.problems}


def test_each_expression_makes_its_part() -> None:
    expressions = {
        "correlationIdExpression": "payload.user + headers['source']",
        "eventIdExpression": "payload.id",
        "timestampExpression": "payload.at",
        "deletionExpression": "payload.gone",
    }
    assert evaluate(expressions, EVENT, {"source": "web"}) == {
        "correlationId": "u1web",
        "eventId": "7",
        "timestamp": 1_700_000_000_000,
        "deletion": True,
    }


def test_only_what_is_given_is_made() -> None:
    assert evaluate({"deletionExpression": "payload.user == 'x'"}, EVENT, {}) == {"deletion": False}
    assert evaluate({}, EVENT, {}) == {}


def test_all_that_fails_is_named_with_its_place() -> None:
    found = wrong(
        {
            "correlationIdExpression": "payload.user +",
            "eventIdExpression": "payload.missing.deeper",
            "timestampExpression": "payload.user",
            "deletionExpression": "payload.gone",
        }
    )
    assert set(found) == {"correlationIdExpression", "eventIdExpression", "timestampExpression"}
    assert "line 1" in found["correlationIdExpression"]
    assert "column" in found["eventIdExpression"]
    assert found["timestampExpression"].startswith("gives 'u1'")


def test_an_id_of_nothing_is_none() -> None:
    assert wrong({"eventIdExpression": "null"}) == {
        "eventIdExpression": "gives nothing, which is no id"
    }
