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
        ("MAX_BODY_BYTES", "many", "expected `int`"),
        ("MAX_BODY_BYTES", "1", ">= 1024"),
        ("LOG_LEVEL", "LOUD", "'LOUD'"),
        ("LOG_JSON", "perhaps", "expected `bool`"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, reason: str) -> None:
    with pytest.raises(StartError) as refused:
        Settings.from_environment({f"GRNRY_{name}": value})
    assert f"GRNRY_{name}: " in refused.value.message
    assert reason in refused.value.message
