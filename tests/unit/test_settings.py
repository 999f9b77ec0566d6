"""Settings: precedence, types, and errors that name the setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from pas_lib.errors import SettingsError
from pas_lib.settings import load_settings, setting_names


def test_environment_beats_dotenv_beats_yaml_beats_default(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("PAS_COST_BPS: 1\nPAS_BAND: 0.01\nMAX_ALLOCATION: 0.4\n")
    (tmp_path / ".env").write_text("# comment\nPAS_COST_BPS=2\nexport PAS_BAND='0.02'\n")
    settings = load_settings({"PAS_COST_BPS": "3"}, root=tmp_path)
    assert (settings.cost_bps, settings.band, settings.max_allocation, settings.min_allocation) == (3.0, 0.02, 0.4, 0.0)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"PAS_COST_BPS": "many"}, "PAS_COST_BPS: Input should be a valid number"),
        ({"PAS_SOURCES": "internet"}, "PAS_SOURCES: Input should be 'sandbox', 'public' or 'subscribed'"),
        ({"PAS_TARGET_VOL": "0.3"}, "PAS_TARGET_VOL: .*less than or equal to 0.12"),
        ({"MIN_ALLOCATION": "0.5", "MAX_ALLOCATION": "0.4"}, "MIN_ALLOCATION is above MAX_ALLOCATION"),
        ({"PAS_SANDBOX_URL": "http://93.184.216.34:80"}, "PAS_SANDBOX_URL must be a loopback address"),
        ({"PAS_BROKER": "paper"}, "cannot trade on PAS_SOURCES=sandbox"),
        (
            {"PAS_BROKER": "paper", "PAS_SOURCES": "public", "ALPACA_BASE_URL": "https://api.alpaca.markets"},
            "ALPACA_BASE_URL is 'api.alpaca.markets' but PAS_BROKER=paper means 'paper-api.alpaca.markets'",
        ),
        ({"PAS_COLOUR": "red"}, "unknown setting PAS_COLOUR"),
    ],
)
def test_an_invalid_value_is_one_line_that_names_the_setting(env: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(env, root=tmp_path)
    assert "\n" not in str(caught.value)


def test_broken_files_are_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PAS_BAND 0.1\n")
    with pytest.raises(SettingsError, match=r"\.env line 1 is not NAME=value"):
        load_settings({}, root=tmp_path)
    (tmp_path / ".env").unlink()
    (tmp_path / "config.yaml").write_text("a: [1\n")
    with pytest.raises(SettingsError, match=r"config\.yaml line 2 is not valid YAML"):
        load_settings({}, root=tmp_path)


def test_secrets_do_not_show(tmp_path: Path) -> None:
    settings = load_settings({"FRED_API_KEY": "canary-1", "API_TOKEN": "canary-2"}, root=tmp_path)
    assert "canary" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.fred_api_key is not None
    assert settings.fred_api_key.get_secret_value() == "canary-1"


def test_an_empty_variable_is_unset(tmp_path: Path) -> None:
    assert load_settings({"PAS_DATABASE_URL": ""}, root=tmp_path).database_url is None


def test_every_setting_is_in_the_example_file() -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text()
    missing = [name for name in setting_names() if f"{name}=" not in example]
    assert missing == []
