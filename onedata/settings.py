"""Settings: where the data lies and how the nightly build behaves.

One TOML file (`onedata.toml`) and environment variables of the same names, upper-cased and prefixed `ONEDATA_`; the
environment wins. Paths in the file are relative to the file.
"""

import grp
import os
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from phonenumbers import SUPPORTED_REGIONS

from onedata.errors import OnedataError, did_you_mean

OTHER_VARIABLES = ("ONEDATA_SETTINGS", "ONEDATA_WAREHOUSE", "ONEDATA_LAKE", "ONEDATA_SHARED_DATA")
REPOSITORY = Path(__file__).resolve().parent.parent


class SettingsError(OnedataError):
    """A setting is unknown or has a value that cannot be read."""


@dataclass(frozen=True)
class Settings:
    """One retailer's settings; every path below `home` is derived from it."""

    home: Path = REPOSITORY / "data"
    source: Path = REPOSITORY / "data" / "retailer" / "source"
    contracts: Path = REPOSITORY / "data_contracts"
    reporting_currency: str = "CNY"
    time_zone: str = "Asia/Shanghai"
    default_region: str = "CN"
    first_night: date = date(2026, 1, 1)
    nightly_at: str = "02:00"
    published_nights_kept: int = 7
    threads: int = 2
    memory_limit: str = "1500MB"
    lock_wait_seconds: float = 60.0
    settle_seconds: float = 0.0
    orphans_kept_days: int = 30
    deployment: str = "dev"
    reader_group: str = ""
    backup_folder: Path | None = None

    def today(self) -> date:
        """The retailer's day, in its time zone: the one that commands, schedules and the partitions of the UI go by."""
        return datetime.now(zoneinfo.ZoneInfo(self.time_zone)).date()

    @property
    def canonical(self) -> Path:
        """Folder of the canonical entities; one set for every retailer."""
        return REPOSITORY / "data_contracts" / "canonical"

    @property
    def dbt_project(self) -> Path:
        return REPOSITORY / "dbt_project"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse" / "onedata.duckdb"

    @property
    def lake(self) -> Path:
        return self.home / "lake"

    @property
    def staged(self) -> Path:
        """Landed rows that no gate has passed yet."""
        return self.home / "staged"

    @property
    def vault(self) -> Path:
        """Raw identifiers by token, and the key that makes the tokens."""
        return self.home / "vault"

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def published_database(self) -> Path:
        return self.published / "onedata.duckdb"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def dbt_target(self) -> Path:
        return self.home / "dbt"

    def environment(self) -> dict[str, str]:
        """The same settings as environment variables, for dbt and for child processes."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        own = {f"ONEDATA_{name.upper()}": "" if value is None else str(value) for name, value in values.items()}
        return own | {
            "ONEDATA_WAREHOUSE": str(self.warehouse),
            "ONEDATA_LAKE": str(self.lake),
            "DAGSTER_HOME": str(self.dagster_home),
            "DBT_PROJECT_DIR": str(self.dbt_project),
            "DBT_PROFILES_DIR": str(self.dbt_project),
            "DBT_TARGET_PATH": str(self.dbt_target / "target"),
            "DBT_LOG_PATH": str(self.dbt_target / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
            "GX_ANALYTICS_ENABLED": "false",
        }


def load_settings(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of `file` (or of ONEDATA_SETTINGS, or the defaults) under the environment.

    Raises:
        SettingsError: the file is missing or not TOML, or a setting is unknown or unreadable.
    """
    env = os.environ if environment is None else environment
    if file is None and env.get("ONEDATA_SETTINGS"):
        file = Path(env["ONEDATA_SETTINGS"])
    values = _read_file(file) if file else {}
    _known_environment(env)
    for field in fields(Settings):
        text = env.get(f"ONEDATA_{field.name.upper()}")
        if text:
            values[field.name] = _convert(field.name, text, Path.cwd())
    home: Path = values.get("home", Settings().home)
    settings = replace(Settings(), **{"source": home / "retailer" / "source"} | values)
    _check(settings)
    return settings


def _known_environment(env: Mapping[str, str]) -> None:
    known = {f"ONEDATA_{field.name.upper()}" for field in fields(Settings)} | set(OTHER_VARIABLES)
    for name in sorted(env):
        if name.startswith("ONEDATA_") and name not in known:
            raise SettingsError(f"environment variable {name} is no setting{did_you_mean(name, sorted(known))}")


def _check(settings: Settings) -> None:
    """What each setting may be; the first that is not is told with what it may be."""
    wrong = {
        "time_zone": (
            settings.time_zone not in zoneinfo.available_timezones(),
            "an IANA time zone, for example Asia/Shanghai",
        ),
        "default_region": (
            settings.default_region not in SUPPORTED_REGIONS,
            "the ISO 3166 code of a country, for example CN",
        ),
        "memory_limit": (
            not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?B)", settings.memory_limit),
            "a size, for example 1500MB or 2GB",
        ),
        "threads": (settings.threads < 1, "a number from 1"),
        "nightly_at": (not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", settings.nightly_at), "a time of day HH:MM"),
        "deployment": (settings.deployment not in ("dev", "production"), "dev or production"),
        "reporting_currency": (
            not re.fullmatch("[A-Z]{3}", settings.reporting_currency),
            "an ISO 4217 code, for example CNY",
        ),
    }
    for name, (is_wrong, expected) in wrong.items():
        if is_wrong:
            raise SettingsError(f"setting {name} is {getattr(settings, name)!r}; it takes {expected}")
    _check_group(settings.reader_group)


def _check_group(name: str) -> None:
    """The group must exist, and this process must be one that may give files to it."""
    if not name:
        return
    try:
        number = grp.getgrnam(name).gr_gid
    except KeyError:
        wrong = f"setting reader_group is {name!r}; there is no such group on this machine"
        raise SettingsError(f"{wrong}: make it with groupadd") from None
    if os.geteuid() != 0 and number not in (os.getegid(), *os.getgroups()):
        wrong = f"setting reader_group is {name!r}; user {os.geteuid()} is no member of it and may give it no file"
        raise SettingsError(f"{wrong}: add it with usermod -aG {name}")


def _read_file(file: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"no settings file {file}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}") from None
    known = {field.name for field in fields(Settings)}
    unknown = sorted(set(content) - known)
    if unknown:
        raise SettingsError(f"{file}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
    return {name: _convert(name, value, file.resolve().parent) for name, value in content.items()}


def _convert(name: str, value: Any, base: Path) -> Any:
    """A TOML value or an environment text as the type of the field's default; paths resolve against `base`."""
    default = getattr(Settings(), name)
    try:
        if isinstance(default, Path) or default is None:
            return (base / Path(str(value)).expanduser()).resolve()
        if isinstance(default, date):
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        return type(default)(value)
    except (TypeError, ValueError) as error:
        expected = {"int": "a whole number", "float": "a number", "date": "a day, YYYY-MM-DD"}.get(
            type(default).__name__, "a text"
        )
        raise SettingsError(f"setting {name} is {value!r}; it takes {expected} ({error})") from None
