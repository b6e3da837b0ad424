import pytest

from grnry.errors import StartError
from grnry.settings import Settings


def test_each_setting_is_a_variable_and_an_empty_one_is_none() -> None:
    settings = Settings.from_environment(
        {"GRNRY_LOG_LEVEL": "DEBUG", "GRNRY_MAX_BODY_BYTES": "2048", "GRNRY_DATA": "", "DATA": "x"}
    )
    assert (settings.log_level, settings.max_body_bytes) == ("DEBUG", 2048)
    assert settings.data == Settings().data


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MAX_BODY_BYTES", "many", "a whole number"),
        ("MAX_BODY_BYTES", "1", "a whole number >= 1024"),
        ("REQUEST_SECONDS", "0", "a number > 0.0"),
        ("LOG_LEVEL", "LOUD", "one of DEBUG, INFO, WARNING, ERROR"),
        ("LOG_JSON", "perhaps", "true or false"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, reason: str) -> None:
    with pytest.raises(StartError) as refused:
        Settings.from_environment({f"GRNRY_{name}": value})
    assert refused.value.message == (
        f"The setting GRNRY_{name} is '{value}', but must be {reason}. Correct or unset it."
    )
