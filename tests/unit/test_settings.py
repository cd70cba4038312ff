"""Settings: TOML, environment, paths and mistakes."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from support import REPOSITORY

from onedata.settings import GateLimits, Settings, SettingsError, load_settings, settings_schema


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
        SettingsError,
        match=r"onedata.toml:1: unknown setting 'sauce'; did you mean source\?; known are as_of, .*source",
    ):
        load_settings(toml(tmp_path, 'sauce = "x"'), {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('threads = "many"', "setting threads is .*many.*a whole number"),
        ('first_night = "yesterday"', "setting first_night is .*yesterday.*YYYY-MM-DD"),
        ("first_night = 5", "setting first_night is 5"),
        ('as_of = "today"', "setting as_of is .*today.*YYYY-MM-DD"),
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


def test_a_mistake_names_the_line_it_stands_in(tmp_path: Path) -> None:
    file = toml(tmp_path, '# shop\ntime_zone = "Europe/Berlin"\n\nthreads = 0\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    assert str(caught.value).startswith(f"{file}:4: setting threads is 0; it takes a number from 1")


def test_a_mistake_of_the_environment_names_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^environment variable ONEDATA_THREADS: setting threads is '0'"):
        load_settings(toml(tmp_path, 'time_zone = "Europe/Berlin"'), {"ONEDATA_THREADS": "0"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("threads = true", "setting threads is True"),
        ("threads = 1.5", "setting threads is 1.5"),
        ("lock_wait_seconds = nan", "setting lock_wait_seconds is nan"),
        ("home = 5", "setting home is 5; it takes the path of a folder"),
        ("memory_limit = 1500", "setting memory_limit is 1500"),
        ("gates = 3", r"setting gates is 3; it takes a table of limits"),
        (
            "[gates]\nmost_account = 3",
            r":2: gates: unknown setting 'most_account'; did you mean most_accounts\?; known are churn_stop",
        ),
        (
            "[gates]\nchurn_warn = 0.5\nchurn_stop = 0.1",
            r"setting gates: churn_warn \(0.5\) is above churn_stop \(0.1\)",
        ),
        ("[gates]\nplace = 'here'", r":2: gates: unknown setting 'place'"),
        ("[gates]\nchurn_stop = 2", r":2: setting gates: churn_stop is 2; it takes a share from 0 to 1"),
    ],
)
def test_a_value_of_another_type_is_never_made_to_fit(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(toml(tmp_path, text), {})


def test_limits_that_a_retailer_does_not_give_are_the_shipped_ones(tmp_path: Path) -> None:
    limits = load_settings(toml(tmp_path, "[gates]\nmost_accounts = 5\n"), {}).gates
    assert limits == GateLimits(most_accounts=5)
    assert limits.churn_stop == 0.02


def test_limits_tell_where_they_are_written(tmp_path: Path) -> None:
    file = toml(tmp_path, "[gates]\nchurn_stop = 0.5\n")
    limits = load_settings(file, {}).gates
    own = f"Settings: churn_warn = 0.001 (the default), churn_stop = 0.5; [gates] of {file.resolve()}"
    assert limits.told("churn_warn", "churn_stop") == own
    assert load_settings(toml(tmp_path, "threads = 2\n"), {}).gates.told("churn_stop") == (
        f"Settings: churn_stop = 0.02 (the default); [gates] of {file.resolve()}"
    )
    # A child process has its settings from the environment, and tells the place that its parent found.
    assert (
        load_settings(None, load_settings(toml(tmp_path, "[gates]\nchurn_stop = 0.5\n"), {}).environment()).gates.told(
            "churn_warn", "churn_stop"
        )
        == own
    )
    typed = {"ONEDATA_GATES": '{"churn_stop": 0.25}'}
    assert load_settings(file, typed).gates.told("churn_stop") == (
        "Settings: churn_stop = 0.25; the environment variable ONEDATA_GATES"
    )


def test_gates_and_identifiers_pass_through_the_environment(tmp_path: Path) -> None:
    (tmp_path / "identifiers.yaml").write_text("blocked_values: [walk-in]\n")
    settings = load_settings(toml(tmp_path, "[gates]\nchurn_stop = 0.5\n"), {})
    assert load_settings(None, settings.environment()) == settings
    assert (settings.gates.churn_stop, settings.identifiers) == (0.5, tmp_path / "identifiers.yaml")


def test_the_settings_of_the_working_folder_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml(tmp_path, 'reporting_currency = "EUR"\nhome = "data"\n')
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, {})
    assert (settings.reporting_currency, settings.home) == ("EUR", tmp_path / "data")


def test_without_a_checkout_and_a_retailer_the_way_to_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("onedata.settings.load.checkout", lambda: None)
    monkeypatch.setattr("onedata.settings.model.checkout", lambda: None)
    with pytest.raises(SettingsError, match=r"no retailer in .*onedata init my_retailer"):
        load_settings(None, {})
    (tmp_path / "data").mkdir()
    assert load_settings(None, {}).home == tmp_path / "data"


def test_an_editors_schema_knows_every_setting_and_refuses_what_the_settings_refuse() -> None:
    schema = settings_schema()
    validator = Draft202012Validator(schema)
    assert set(schema["properties"]) == {field.name for field in fields(Settings)}
    assert validator.is_valid({"threads": 2, "gates": {"most_accounts": 3}})
    for wrong in ({"threads": 0}, {"thread": 2}, {"gates": {"churn_stop": 2}}, {"nightly_at": "25:00"}):
        assert not validator.is_valid(wrong), wrong
    assert all(item.get("description") for item in schema["properties"].values())


def test_every_setting_is_documented() -> None:
    text = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    names = [field.name for model in (Settings, GateLimits) for field in fields(model) if field.name != "place"]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_a_mistake_of_the_environment_names_its_variable_also_where_a_file_is(tmp_path: Path) -> None:
    file = toml(tmp_path, "first_night = 2026-01-01\n")
    with pytest.raises(SettingsError, match=r"^environment variable ONEDATA_FIRST_NIGHT: setting first_night is 'x'"):
        load_settings(file, {"ONEDATA_FIRST_NIGHT": "x"})


def test_the_home_lies_beside_the_settings_where_they_name_none(tmp_path: Path) -> None:
    settings = load_settings(toml(tmp_path, 'time_zone = "Europe/Berlin"\n'), {})
    assert (settings.home, settings.source) == (tmp_path / "data", tmp_path / "data" / "retailer" / "source")


@pytest.mark.parametrize(
    "text", ['first_night = "0"', 'threads = "1_0"', "threads = 4.0", 'threads = "4 "', 'home = ""']
)
def test_a_text_that_python_would_make_fit_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=f"setting {text.split(' ')[0]} is"):
        load_settings(toml(tmp_path, text), {})


def test_an_empty_optional_path_is_none(tmp_path: Path) -> None:
    settings = load_settings(toml(tmp_path, 'backup_folder = ""\nidentifiers = ""\n'), {})
    assert (settings.backup_folder, settings.identifiers) == (None, None)


def test_what_is_no_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="cannot be read as a settings file"):
        load_settings(tmp_path, {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "onedata.toml").symlink_to(tmp_path / "gone.toml")
    with pytest.raises(SettingsError, match=r"no settings file onedata.toml"):
        load_settings(None, {})


def test_a_limit_that_stands_twice_in_the_environment_is_refused() -> None:
    with pytest.raises(SettingsError, match="churn_stop stands twice"):
        load_settings(None, {"ONEDATA_GATES": '{"churn_stop": 0.1, "churn_stop": 0.9}'})


def test_the_day_as_of_which_figures_are_told_is_of_the_data_unless_it_is_set(tmp_path: Path) -> None:
    assert load_settings(toml(tmp_path, ""), {}).as_of is None
    settings = load_settings(toml(tmp_path, "as_of = 2018-10-17"), {})
    assert settings.as_of == date(2018, 10, 17)
    assert settings.environment()["ONEDATA_AS_OF"] == "2018-10-17"
    assert load_settings(toml(tmp_path, ""), {"ONEDATA_AS_OF": Settings().environment()["ONEDATA_AS_OF"]}).as_of is None
