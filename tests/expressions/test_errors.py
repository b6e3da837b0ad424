"""What the errors say: where, what was expected, which name is nearest."""

import pickle

import pytest

from grnry.expressions import (
    ExpressionError,
    ExpressionsError,
    ExpressionSyntaxError,
    compile_expression,
)

SYNTAX = [
    # text, line, column, message, expected
    ("", 1, 1, "unexpected end", "a value"),
    ("1 +", 1, 4, "unexpected end", "a value"),
    ("(1", 1, 3, "unexpected end", "')'"),
    ("1)", 1, 2, "unexpected ')'", "an operator or the end"),
    ("payload.a b", 1, 11, "unexpected 'b'", "an operator or the end"),
    ("payload\n  .", 2, 4, "unexpected end", "a name"),
    ("payload.a[0", 1, 12, "unexpected end", "']'"),
    ("true ? 1", 1, 9, "unexpected end", "':'"),
    ("#jsonPath(payload 'a')", 1, 19, "unexpected ''a''", "',' or ')'"),
    ("'abc", 1, 1, "has no end", "a closing '"),
    ("1 | 2", 1, 3, "'|' does not belong", "'||'"),
    ("payload ~ 1", 1, 9, "'~' does not belong", ""),
    ("3000000000", 1, 1, "more than an integer holds", "3000000000L"),
    ("0x", 1, 1, "is not a number", ""),
    ("1e400", 1, 1, "too large", ""),
    ("paylod.a", 1, 1, "unknown name 'paylod'", "payload"),
    ("xyz", 1, 1, "unknown name 'xyz'", "one of headers, payload"),
    ("jsonPath.a", 1, 1, "unknown name 'jsonPath'", "#jsonPath(object, path)"),
    ("safeJsonPath(payload, 'a')", 1, 1, "unknown function", "#safeJsonPath"),
    ("#savejsonpath(payload, 'a')", 1, 1, "unknown function", "#safeJsonPath"),
    ("#payload.a", 1, 1, "unknown variable '#payload'", "payload, or #root.payload"),
    ("#nowMillis", 1, 1, "unknown variable", "#nowMillis()"),
    ("#jsonPath(payload)", 1, 1, "does not take 1 argument", "#jsonPath(object, path)"),
    ("payload.a.startWith('x')", 1, 11, "unknown method 'startWith'", "startsWith"),
    ("payload.a.substring()", 1, 11, "does not take 0 arguments", "1 or 2"),
    ("payload.a.length(1)", 1, 11, "does not take 1 argument", "0"),
    ("payload.#jsonPath(payload, 'a')", 1, 9, "can not follow a '.'", "first argument"),
    ("#jsonPath(payload, 'a[')", 1, 20, "malformed at character 4", ""),
    ("#jsonPath(payload, '$.a.sun()')", 1, 20, "there is no function 'sun'", ""),
    ("payload matches '(a'", 1, 17, "can not be used", ""),
    ("payload matches '(?=a)'", 1, 17, "look-around is not supported", ""),
    ("payload.a.split('[')", 1, 17, "can not be used", ""),
    ("payload matches 5", 1, 17, "is no pattern", ""),
    ("#dateTimeISOFormatterUTC(payload, 'foo')", 1, 35, "not supported in the date", ""),
]
FORBIDDEN = [
    ("T(java.lang.Runtime).getRuntime().exec('x')", 1, "types are not allowed"),
    ("payload.a instanceof T(String)", 11, "types are not allowed"),
    ("new java.io.File('x')", 1, "objects can not be made"),
    ("@bean.method()", 1, "beans are not allowed"),
    ("&@bean", 1, "beans are not allowed"),
    ("payload.class", 9, "reflection is not allowed"),
    ("payload?.class.name", 10, "reflection is not allowed"),
    ("payload.getClass()", 9, "reflection is not allowed"),
    ("payload.list.![class]", 16, "reflection is not allowed"),
    ("''.class.forName('x')", 4, "reflection is not allowed"),
    ("payload.a = 5", 11, "can not assign"),
    ("payload.a++", 10, "'++' is not allowed"),
    ("--payload.a", 1, "'--' is not allowed"),
]
EVALUATION = [
    ("payload.a.b", 11, "'b' can not be read from null; '?.b' gives null instead"),
    ("payload.s.x", 11, "a string has no property 'x'"),
    ("payload.l.![#this + null]", 19, "can not add null to a number"),
    ("1 / 0", 3, "division by zero"),
    ("payload.l[9]", 10, "a list of 3 has no index 9"),
    ("payload.a.length()", 11, "'length' can not be called on null"),
    ("payload.l.length()", 11, "a list has no method 'length'"),
    ("payload.s.substring(5, 2)", 11, "characters 5 to 2 are not in a text of 5"),
    ("#jsonPath(payload, 'nope')", 1, "there is nothing at 'nope'"),
    ("#jsonPath('{', 'a')", 1, "the string is no JSON"),
    ("#jsonPath(null, 'a')", 1, "the first argument is null"),
    ("1 < 'a'", 3, "a number can not be compared with a string"),
    ("payload.s ? 1 : 2", 1, "no condition"),
    ("payload.l.?[5]", 11, "a selection needs true or false, not a number"),
    ("payload.s.![x]", 11, "a string has no elements for a projection"),
    ("-payload.s", 1, "can not negate a string"),
    ("null matches 'a'", 6, "null can not be matched"),
]
PAYLOAD = {"s": "hello", "l": [1, 2, 3]}


@pytest.mark.parametrize(("text", "line", "column", "message", "expected"), SYNTAX)
def test_a_syntax_error_says_where_and_what(
    text: str, line: int, column: int, message: str, expected: str
) -> None:
    with pytest.raises(ExpressionSyntaxError) as raised:
        compile_expression(text)
    error = raised.value
    assert (error.line, error.column) == (line, column)
    assert message in error.message
    assert expected in error.expected
    assert str(error).startswith(f"line {line}, column {column}: ")
    assert error.expected in str(error)


@pytest.mark.parametrize(("text", "column", "message"), FORBIDDEN)
def test_what_is_never_allowed(text: str, column: int, message: str) -> None:
    with pytest.raises(ExpressionSyntaxError, match=r"not allowed|can not") as raised:
        compile_expression(text)
    assert raised.value.column == column
    assert message in raised.value.message


@pytest.mark.parametrize(("text", "column", "message"), EVALUATION)
def test_an_evaluation_error_says_where_and_what(text: str, column: int, message: str) -> None:
    expression = compile_expression(text)
    with pytest.raises(ExpressionError) as raised:
        expression(PAYLOAD, {})
    assert message in raised.value.message
    assert raised.value.column == column
    assert raised.value.line == 1


def test_lines_count_from_one() -> None:
    expression = compile_expression("payload.s\n  + payload.l\n  .![#this + null]")
    with pytest.raises(ExpressionError, match="line 3, column 12: can not add null to a number"):
        expression(PAYLOAD, {})


def test_both_errors_share_a_root_and_can_travel_between_processes() -> None:
    for error in (ExpressionError("m", 1, 2), ExpressionSyntaxError("m", 1, 2, "e")):
        assert isinstance(error, ExpressionsError)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
