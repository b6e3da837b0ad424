import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnry.event_types.names import LONGEST, derive, is_name, with_digits


@pytest.mark.parametrize(
    ("display_name", "name"),
    [
        ("livesegment-dataoutput", "livesegment-dataoutp"),
        ("  Two   words\t", "Two-words"),
        ("a \u00a0 b", "a-b"),
        ("under_score & co.", "underscore-co"),
        ("\u00dcber", "ber"),
        ("CaSe", "CaSe"),
        ("-", "-"),
        ("!?", ""),
        ("", ""),
    ],
)
def test_derived_names(display_name: str, name: str) -> None:
    assert derive(display_name) == name


@given(display_name=st.text(), digits=st.integers(0, 9999))
def test_what_is_derived_is_a_name_or_nothing(display_name: str, digits: int) -> None:
    name = derive(display_name)
    assert name == "" or is_name(name)
    assert is_name(with_digits(name, digits))


@pytest.mark.parametrize("text", ["", "a" * (LONGEST + 1), "a_b", "a b", "\u00e4", "a\n", "\u0663"])
def test_what_is_no_name(text: str) -> None:
    assert not is_name(text)


def test_a_name_with_digits_fits() -> None:
    assert with_digits("a" * 20, 7) == "a" * 15 + "-0007"
