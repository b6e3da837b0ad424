"""Our answers against Spring's and Jayway's, which `spring/` holds with the program behind them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from grnry.expressions import ExpressionsError, ExpressionSyntaxError, compile_expression

SPRING = Path(__file__).parent / "spring"


def load(name: str) -> Any:
    return json.loads((SPRING / name).read_text(encoding="utf-8"))


DOCUMENTS = load("documents.json")
ANSWERS = load("answers.json")
DIFFERENCES = load("differences.json")

Question = tuple[str, str]


def question(answer: dict[str, Any]) -> Question:
    return answer["document"], answer["expression"]


DIFFERENT = {question(answer): answer for group in DIFFERENCES for answer in group["answers"]}


def evaluate(asked: Question) -> dict[str, Any]:
    document = DOCUMENTS[asked[0]]
    try:
        expression = compile_expression(asked[1])
        return {"value": expression(document["payload"], document["headers"])}
    except ExpressionsError as error:
        return {"error": error}


def same(ours: Any, theirs: Any) -> bool:
    """Equal in value and type; what JSON has no number for stands there as a string."""
    if isinstance(ours, float) and not math.isfinite(ours):
        words = {math.inf: "Infinity", -math.inf: "-Infinity"}
        return bool(theirs == words.get(ours, "NaN"))
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    return bool(ours == theirs)


def agree(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if "error" in theirs or "error" in ours:
        return ("error" in theirs) == ("error" in ours)
    return same(ours["value"], theirs["value"])


def test_every_answer_is_springs_but_for_the_listed_differences() -> None:
    disagreements = []
    for answer in ANSWERS:
        asked = question(answer)
        ours = evaluate(asked)
        if asked not in DIFFERENT and not agree(ours, answer):
            disagreements.append((asked, ours, answer.get("value", answer.get("error"))))
    assert disagreements == []


def test_there_are_enough_questions() -> None:
    assert len(ANSWERS) > 1_500


@pytest.mark.parametrize("asked", DIFFERENT, ids=lambda asked: asked[1])
def test_a_listed_difference_is_one_and_is_ours(asked: Question) -> None:
    theirs = next(answer for answer in ANSWERS if question(answer) == asked)
    ours = evaluate(asked)
    assert not agree(ours, theirs)
    assert agree(ours, DIFFERENT[asked])


def test_each_difference_has_a_reason() -> None:
    assert all(group["reason"].endswith(".") and group["answers"] for group in DIFFERENCES)


def test_what_spring_can_not_parse_we_refuse_when_compiling() -> None:
    unparsed = [
        answer["expression"] for answer in ANSWERS if answer.get("error", "").startswith("parse:")
    ]
    assert len(unparsed) > 40
    for text in unparsed:
        with pytest.raises(ExpressionSyntaxError):
            compile_expression(text)


def test_the_questions_are_those_that_are_answered() -> None:
    asked: list[Question] = []
    document = ""
    for line in (SPRING / "questions.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            document = line.removeprefix("== ")
        elif line.strip():
            asked.append((document, line))
    assert asked == [question(answer) for answer in ANSWERS]
