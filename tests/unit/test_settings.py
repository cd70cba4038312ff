"""Settings: TOML, environment, paths and mistakes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from onedata.settings import REPOSITORY, Settings, SettingsError, load_settings


def toml(folder: Path, text: str) -> Path:
    file = folder / "onedata.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_a_file_the_defaults_hold() -> None:
    assert load_settings(None, {}) == Settings()


def test_everything_lies_below_the_home(tmp_path: Path) -> None:
    settings = load_settings(None, {"ONEDATA_HOME": str(tmp_path)})
    assert settings.published_database == tmp_path / "published" / "onedata.duckdb"
    for path in (
        settings.warehouse,
        settings.lake,
        settings.staged,
        settings.vault,
        settings.published,
        settings.dagster_home,
        settings.dbt_target,
    ):
        assert path.is_relative_to(tmp_path)


def test_a_file_sets_values_with_their_types(tmp_path: Path) -> None:
    file = toml(
        tmp_path,
        'reporting_currency = "EUR"\nfirst_night = 2011-01-04\npublished_nights_kept = 3\nlock_wait_seconds = 5\n',
    )
    settings = load_settings(file, {})
    assert (settings.reporting_currency, settings.first_night, settings.published_nights_kept) == (
        "EUR",
        date(2011, 1, 4),
        3,
    )
    assert isinstance(settings.lock_wait_seconds, float)


def test_a_day_may_be_written_as_text(tmp_path: Path) -> None:
    assert load_settings(toml(tmp_path, 'first_night = "2011-01-04"'), {}).first_night == date(2011, 1, 4)


def test_paths_in_a_file_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    settings = load_settings(toml(tmp_path, 'contracts = "contracts"\nsource = "../elsewhere"\n'), {})
    assert settings.contracts == tmp_path / "contracts"
    assert settings.source == tmp_path.parent / "elsewhere"


def test_paths_in_the_environment_are_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {"ONEDATA_SOURCE": "feeds"}).source == tmp_path / "feeds"


def test_a_tilde_is_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings(None, {"ONEDATA_HOME": "~/data"}).home == tmp_path / "data"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, 'time_zone = "Europe/London"\nthreads = 1\n')
    settings = load_settings(file, {"ONEDATA_THREADS": "4"})
    assert (settings.time_zone, settings.threads) == ("Europe/London", 4)


def test_an_empty_variable_is_no_setting() -> None:
    assert load_settings(None, {"ONEDATA_THREADS": ""}).threads == Settings().threads


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, 'reporting_currency = "EUR"')
    assert load_settings(None, {"ONEDATA_SETTINGS": str(file)}).reporting_currency == "EUR"


def test_the_given_file_wins_over_the_named_one(tmp_path: Path) -> None:
    file = toml(tmp_path, 'reporting_currency = "EUR"')
    assert load_settings(file, {"ONEDATA_SETTINGS": "/nowhere.toml"}).reporting_currency == "EUR"


def test_an_unknown_setting_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"onedata.toml: unknown setting 'sauce'; known are backup_folder, contracts, .*source"
    ):
        load_settings(toml(tmp_path, 'sauce = "x"'), {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('threads = "many"', "setting threads is .*many.*a whole number"),
        ('first_night = "yesterday"', "setting first_night is .*yesterday.*YYYY-MM-DD"),
        ("first_night = 5", "setting first_night is 5"),
        ("lock_wait_seconds = 'long'", "setting lock_wait_seconds is .*long.*a number"),
        ("threads = [1]", "setting threads is"),
        ("threads = ", "is not TOML"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(toml(tmp_path, text), {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('time_zone = "Mars/X"', "setting time_zone is 'Mars/X'; it takes an IANA time zone"),
        ('default_region = "UK"', "setting default_region is 'UK'; it takes the ISO 3166 code of a country"),
        ('memory_limit = "lots"', "setting memory_limit is 'lots'; it takes a size"),
        ("threads = 0", "setting threads is 0; it takes a number from 1"),
        ('nightly_at = "25:00"', "setting nightly_at is '25:00'; it takes a time of day"),
        ('deployment = "prod"', "setting deployment is 'prod'; it takes dev or production"),
        ('reporting_currency = "yuan"', "setting reporting_currency is 'yuan'"),
    ],
)
def test_a_value_that_no_stage_could_use_is_refused_when_it_is_read(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        load_settings(toml(tmp_path, text), {})


def test_an_unknown_variable_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(SettingsError, match="ONEDATA_THREDS is no setting; did you mean ONEDATA_THREADS"):
        load_settings(None, {"ONEDATA_THREDS": "2"})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no settings file .*gone.toml"):
        load_settings(tmp_path / "gone.toml", {})


def test_a_bad_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="setting threads"):
        load_settings(None, {"ONEDATA_THREADS": "two"})


def test_the_environment_of_settings_gives_the_same_settings(tmp_path: Path) -> None:
    settings = load_settings(
        toml(tmp_path, 'home = "h"\nsource = "s"\nfirst_night = 2011-01-04\nlock_wait_seconds = 2.5\n'), {}
    )
    assert load_settings(None, settings.environment()) == settings


def test_telemetry_is_off_for_every_tool() -> None:
    environment = Settings().environment()
    assert environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] == environment["GX_ANALYTICS_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"


@pytest.mark.parametrize("name", ["online_retail", "olist_sample"])
def test_the_examples_settings_load_and_their_contracts_lie_beside_them(name: str) -> None:
    settings = load_settings(REPOSITORY / "examples" / name / "onedata.toml", {})
    assert settings.contracts == REPOSITORY / "examples" / name / "contracts"


def test_today_is_the_retailers_day_and_not_the_machines() -> None:
    """26 hours lie between the two zones: their days are never the same, wherever the machine is."""
    first, last = Settings(time_zone="Etc/GMT+12").today(), Settings(time_zone="Pacific/Kiritimati").today()
    assert 1 <= (last - first).days <= 2
