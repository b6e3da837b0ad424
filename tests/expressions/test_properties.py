"""Properties that hold for any text, any event and any JSON path."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from grnry.expressions import ExpressionsError, ExpressionSyntaxError, compile_expression
from grnry.expressions.errors import Source
from grnry.expressions.parser import parse
from grnry.expressions.tokens import Tokenizer

FEW = settings(max_examples=150, deadline=None)
PIECES = (
    *("payload", "headers", "#this", "#root", "null", "true", "'a'", "''", "5", "5L", "2.5"),
    *("+", "-", "*", "/", "%", "^", "==", "<", ">=", "and", "or", "not", "!", "matches"),
    *("between", "?:", "?", ":", ".", "?.", ",", "(", ")", "[", "]", "{", "}", ".?[", ".!["),
    *(".^[", ".$[", "a", "b", ".a", ".b", ".size()", ".length()", ".split(',')", "T(", "new"),
    *("#jsonPath(", "#safeJsonPath(", "'$..a'", "'a[0]'", "'$[?(@.a > 1)]'", "#randomUUID()"),
    *("'", '"', "@", "=", "++", "|", "\\", "\n", " "),
)
PATH_PIECES = (
    *("$", "@", ".", "..", "*", "[", "]", "[*]", "[0]", "[-1]", "[1:]", "[:2]", "['a']", "a", "b"),
    *("[?(", ")]", "@.a", "==", ">", "in", "=~", "/a/", "!", "&&", "||", "'x'", "1", "true"),
    *(".length()", ".sum()", ".keys()", ".first()", "(", ")", ",", ":", "?", " ", "\\", "{", "}"),
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda values: (
        st.lists(values, max_size=4)
        | st.dictionaries(st.sampled_from("abcd") | st.text(max_size=3), values, max_size=4)
    ),
    max_leaves=12,
)


def attempt(text: str, payload: Any) -> Any:
    """The value, or our error; any other error fails the test."""
    try:
        return compile_expression(text)(payload, {"a": "x"})
    except ExpressionsError as error:
        return error


@FEW
@given(st.text(max_size=60), json_values)
def test_any_text_gives_a_value_or_our_error(text: str, payload: Any) -> None:
    found = attempt(text, payload)
    if isinstance(found, ExpressionsError):
        assert min(found.line, found.column) >= 1


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12), json_values)
def test_any_mix_of_tokens_gives_a_value_or_our_error(pieces: list[str], payload: Any) -> None:
    attempt(" ".join(pieces), payload)
    attempt("".join(pieces), payload)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PATH_PIECES), max_size=10), json_values)
def test_any_path_gives_a_value_or_our_error(pieces: list[str], payload: Any) -> None:
    path = "".join(pieces)
    constant = path.replace("'", "''")
    dynamic = {"path": path, "value": payload}
    found = attempt(f"#jsonPath(payload.value, '{constant}')", dynamic)
    again = attempt("#jsonPath(payload.value, payload.path)", dynamic)
    assert isinstance(found, ExpressionsError) == isinstance(again, ExpressionsError)
    if not isinstance(found, ExpressionsError):
        assert found == again


@FEW
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_pattern_gives_a_verdict_or_our_error(pattern: str, text: str) -> None:
    attempt("payload[0] matches payload[1]", [text, pattern])
    attempt("payload[0].split(payload[1])", [text, pattern])
    attempt("payload[0].replaceAll(payload[1], payload[0])", [text, pattern])


@FEW
@given(st.text(max_size=20))
def test_any_date_pattern_gives_a_date_or_our_error(pattern: str) -> None:
    attempt("#dateTimeISOFormatterUTC('2021-11-21T08:46:47Z', payload)", pattern)


@FEW
@given(st.text(max_size=30))
def test_a_string_literal_gives_its_text(text: str) -> None:
    single, double = text.replace("'", "''"), text.replace('"', '""')
    assert compile_expression(f"'{single}'")(None, {}) == text
    assert compile_expression(f'"{double}"')(None, {}) == text


@FEW
@given(json_values)
def test_the_payload_comes_back_as_it_is(payload: Any) -> None:
    assert compile_expression("payload")(payload, {}) == payload
    text = msgspec.json.encode(payload).decode()
    if payload is not None:
        assert compile_expression("#jsonPath(payload, '$')")(text, {}) == payload


@FEW
@given(json_values)
def test_a_value_equals_itself(payload: Any) -> None:
    assert compile_expression("payload == payload")(payload, {}) is True


@FEW
@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_arithmetic_of_integers_is_javas(left: int, right: int) -> None:
    payload = [left, right]
    for symbol, exact in (("+", left + right), ("-", left - right), ("*", left * right)):
        found = compile_expression(f"payload[0] {symbol} payload[1]")(payload, {})
        assert found == (exact + 2**31) % 2**32 - 2**31
    if right:
        quotient = compile_expression("payload[0] / payload[1]")(payload, {})
        remainder = compile_expression("payload[0] % payload[1]")(payload, {})
        assert (quotient * right + remainder - left) % 2**32 == 0
        assert abs(remainder) < abs(right)


@FEW
@given(st.lists(st.sampled_from(PIECES), max_size=10))
def test_more_blanks_do_not_change_the_tree(pieces: list[str]) -> None:
    """The written tokens, joined by blanks, parse to the same tree but for the places."""
    text = " ".join(pieces)
    try:
        tree = parse(Source(text))
    except ExpressionSyntaxError:
        return
    tokens = Tokenizer(Source(text)).tokens()
    spaced = "  \n ".join(token.written for token in tokens)
    assert without_places(parse(Source(spaced))) == without_places(tree)


def without_places(part: Any) -> Any:
    if isinstance(part, tuple):
        return tuple(without_places(element) for element in part if type(element) is not int)
    names = getattr(type(part), "__dataclass_fields__", None)
    if names is None:
        return part
    shown = (name for name in names if name != "at")
    return type(part).__name__, *(without_places(getattr(part, name)) for name in shown)
