"""No expression hangs or exhausts a worker: each of these ends within a moment, well or not."""

import time
from typing import Any

import pytest

from grnry.expressions import ExpressionError, ExpressionSyntaxError, compile_expression

SECONDS = 5.0
TOO_LARGE_TO_COMPILE = [
    "payload" + " " * 10_000,
    "(" * 51 + "1" + ")" * 51,
    "!" * 60 + "true",
    "{" * 60 + "}" * 60,
    "payload.l" + ".?[true" * 60 + "]" * 60,
    "'a'" + "?:'a'" * 60,
    "#jsonPath(payload, '$" + "[?(@" * 60 + ")]" * 60 + "')",
    "#jsonPath(payload, '$" + ".a" * 500 + "')",
    "#jsonPath(payload, '" + "a" * 3_000 + "')",
    "payload matches '" + "a" * 1_001 + "'",
    r"payload matches '\pL{1000}'",
    "payload matches '((((a{30}){30}){30}){30})'",
]
TOO_MUCH = [
    "payload.l.![#root.payload.l.![#root.payload.l.![#this]]]",
    "payload.l.![#root.payload.l]",
    "payload.l.![{a: #root.payload.l}].toString()",
    "payload.l.![{" + "1," * 4_000 + "1}]",
    "payload.l.![1" + "+1" * 4_500 + "]",
    "payload.l.![#root.payload.text.toUpperCase()]",
    "payload.l.![#root.payload.text.contains('xy')]",
    "payload.l.![#safeJsonPath(#root.payload, '$..a..b')]",
    "payload.l.![#safeJsonPath(#root.payload.json, 'a')]",
    "#jsonPath(payload, '$..*..*..*')",
    "#jsonPath(payload, '$.l[?(@ in $.l)]')",
    "payload.text + payload.text",
    "payload.text.concat(payload.text)",
    "payload.text.replace('x', 'xx')",
    "payload.text.split('')",
    "payload.text.replaceAll('x', '')",
    "payload.text matches '(x?){500}x{500}y'",
    "'ab' * 1000",
    "payload.int * payload.int",
    "payload.int ^ 5",
    "payload.patterns.?['x' matches #this]",
    "payload.l.![#root.payload.searched.replaceAll('(x.*y|x)', 'z')]",
    "payload.l.![#root.payload.searched.split('((x?){200}x{200}y|x)')]",
    "payload.deep == payload.other",
    "'' + payload.deep",
    "payload.deep",
]


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(5_000):
        value = [value]
    return value


PAYLOAD = {
    "l": list(range(1_000)),
    "text": "x" * 1_000_000,
    "searched": "x" * 5_000,
    "json": '{"a": [' + "1," * 100_000 + "1]}",
    "int": 10**1_200,
    "patterns": [f"(a|b{number}){{300}}" for number in range(1_000)],
    "deep": deep(),
    "other": deep(),
}


@pytest.mark.parametrize("text", TOO_LARGE_TO_COMPILE, ids=lambda text: text[:30])
def test_what_is_too_large_does_not_compile(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ExpressionSyntaxError):
        compile_expression(text)
    assert time.perf_counter() - start < SECONDS


@pytest.mark.parametrize("text", TOO_MUCH, ids=lambda text: text[:30])
def test_what_takes_too_much_fails_soon(text: str) -> None:
    expression = compile_expression(text)
    start = time.perf_counter()
    with pytest.raises(ExpressionError):
        expression(PAYLOAD, {})
    assert time.perf_counter() - start < SECONDS


@pytest.mark.parametrize(
    "text",
    [
        "payload.text matches '(x+x+)+y'",
        "payload.short matches '(x?){50}x{50}'",
        "payload.short.split('(x.*y|x)').length",
        "payload.text.length()",
        "#jsonPath(payload.l, '$[-2147483648:5]').size()",
        "1" + " + 1" * 2_000,
        "payload" + "?.a" * 3_000,
    ],
    ids=lambda text: text[:30],
)
def test_what_looks_expensive_is_not(text: str) -> None:
    start = time.perf_counter()
    compile_expression(text)({**PAYLOAD, "short": "x" * 1_000}, {})
    assert time.perf_counter() - start < SECONDS
