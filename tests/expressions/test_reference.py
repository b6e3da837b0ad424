"""The reference page names all that there is, and its examples give what it says."""

import ast
import json
from pathlib import Path

import pytest

from grnry.expressions import budget, compile_expression
from grnry.expressions.functions import FUNCTIONS
from grnry.expressions.jsonpath.comparisons import COMPARISONS
from grnry.expressions.jsonpath.functions import FUNCTIONS as PATH_FUNCTIONS
from grnry.expressions.methods import METHODS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/expressions.md").read_text(encoding="utf-8")
DIFFERENCES = json.loads((Path(__file__).parent / "spring/differences.json").read_bytes())
ROWS = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
EXAMPLES = [(row[0].strip().strip("`"), row[1].strip().strip("`")) for row in ROWS if len(row) == 2]
TYPED = [
    pair for pair in EXAMPLES if pair[1][:1] in "'-tf0123456789" and not pair[0].startswith("#")
]
PAYLOAD = {
    "customer": {"name": "Ann"},
    "items": [{"price": 7, "name": "x"}],
    "with space": 1,
    "name": " a ",
    "id": "AB12",
    "paid": True,
    "count": 2,
    "limit": 5,
}


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_all_functions_methods_and_operators_are_on_the_page() -> None:
    for function in FUNCTIONS.values():
        assert f"`{function.signature}`" in section("Functions")
    for methods in METHODS.values():
        for name in methods:
            assert f"`{name}`" in section("Methods")
    for name in PATH_FUNCTIONS:
        assert f"`{name}(" in section("JSON paths")
    for name in COMPARISONS:
        assert f"`{name}`" in section("JSON paths")


def test_the_examples_of_types_give_what_the_page_says() -> None:
    assert len(TYPED) > 10
    for text, expected in TYPED:
        constants = {"true": True, "false": False}
        value = constants[expected] if expected in constants else ast.literal_eval(expected)
        assert compile_expression(text)(PAYLOAD, {}) == value


@pytest.mark.parametrize(
    "text",
    [
        example
        for line in section("Values and operators").splitlines()
        if line.startswith("| ")
        for example in line.rpartition(" | ")[2].split("`")[1::2]
        if len(example) > 4 and not example.startswith(".")
    ],
)
def test_the_examples_of_values_and_operators_evaluate(text: str) -> None:
    compile_expression(text.replace(r"\|", "|"))(PAYLOAD, {"source": "s", "x-id": "1", "id": "2"})


def test_the_bounds_are_those_of_the_code() -> None:
    bounds = section("Bounds")
    for name, value in vars(budget).items():
        if name.startswith("MAX_") and name != "MAX_PATTERN_MEMORY":
            assert f"| {value:,} |" in bounds


def test_all_differences_are_on_the_page() -> None:
    for group in DIFFERENCES:
        assert f"| {group['reason']} |" in PAGE
        expression = group["answers"][0]["expression"].replace("|", r"\|")
        assert f"| `{expression}` |" in PAGE
