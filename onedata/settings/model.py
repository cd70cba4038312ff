"""Settings: location of the data and behaviour of the nightly build.

They come from one TOML file (`onedata.toml`) and from environment variables of the same names, upper-cased and prefixed
`ONEDATA_`; the environment wins. Paths in the file are relative to the file. The models below are the single source of
names, types, limits and meanings; `onedata schema settings` prints them as a JSON schema.
"""

import json
import re
import zoneinfo
from dataclasses import field, fields
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from onedata.shipped import checkout, shipped

FILE = "onedata.toml"
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


def home_folder() -> Path:
    """Folder of the built-in retailer's data: in the checkout, else in the working folder."""
    return checkout() or Path.cwd()


def _time_zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ValueError
    return name


def _region(code: str) -> str:
    if code not in SUPPORTED_REGIONS:
        raise ValueError
    return code


def _whole(value: object) -> object:
    """Neither a truth value nor a fraction, and no text but digits."""
    if isinstance(value, bool | float) or (isinstance(value, str) and not re.fullmatch(r"-?\d{1,18}", value)):
        raise ValueError
    return value


def _not_a_truth(value: object) -> object:
    """Refuse a boolean: Python counts true as 1, but nobody means that."""
    if isinstance(value, bool):
        raise ValueError
    return value


def _day(value: object) -> object:
    if not isinstance(value, date) and not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)):
        raise ValueError
    return value


def _day_or_none(value: object) -> object:
    return None if value is None else _day(value)


def _not_empty(value: object) -> object:
    """Refuse an empty path: Python reads it as the working folder."""
    if value == "":
        raise ValueError
    return value


def _setting(description: str, takes: str, **limits: Any) -> Any:
    """What a setting means, its accepted values in words, and its limits."""
    return Field(description=description, json_schema_extra={"takes": takes}, **limits)


Folder = Annotated[Path, BeforeValidator(_not_empty)]
Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_not_a_truth)]
Share = Annotated[Number, _setting("Share of the persons or identifiers.", "a share from 0 to 1", ge=0, le=1)]
Count = Annotated[Whole, _setting("A number.", "a whole number from 1", ge=1)]


@dataclass(frozen=True, config=_STRICT)
class GateLimits:
    """Limits of the gate after OneID; a retailer changes them under `[gates]` of its onedata.toml.

    For a young retailer OneID still changes: 0.4 % of the identifiers on its second night, 0.1 % on its tenth
    (benchmarks/identity.py). Far more is a mistake. Some shops create an account per order, so regulars have many.
    """

    most_identifiers: Annotated[Count, Field(description="Identifiers of a person, except browsers and devices.")] = 50
    most_browsers: Annotated[Count, Field(description="Browsers and devices of a person before the gate warns.")] = 50
    most_accounts: Annotated[Count, Field(description="Usual maximum of accounts that a person has in one system.")] = 2
    many_accounts_warn: Annotated[Share, Field(description="Share of persons with more accounts: warn.")] = 0.001
    many_accounts_stop: Annotated[Share, Field(description="Share of persons with more accounts: close.")] = 0.02
    churn_warn: Annotated[
        Share, Field(description="Share of identifiers that change their OneID in a night: warn.")
    ] = 0.001
    churn_stop: Annotated[
        Share, Field(description="Share of identifiers that change their OneID in a night: close.")
    ] = 0.02

    # No setting: the loader notes it, for messages.
    place: str = field(default=f"[gates] of {FILE}, or the environment variable ONEDATA_GATES", compare=False)

    def told(self, *names: str) -> str:
        """The named limits with their values and the place to change them, for the message of a gate."""
        defaults = GateLimits()
        values = (
            f"{name} = {getattr(self, name):g}"
            + (" (the default)" if getattr(self, name) == getattr(defaults, name) else "")
            for name in names
        )
        return f"Settings: {', '.join(values)}; {self.place}"

    @model_validator(mode="after")
    def _warns_before_it_closes(self) -> Self:
        for name in ("many_accounts", "churn"):
            warn, stop = getattr(self, f"{name}_warn"), getattr(self, f"{name}_stop")
            if warn > stop:
                raise ValueError(
                    f"{name}_warn ({warn:g}) is above {name}_stop ({stop:g}); the gate warns before it closes"
                )
        return self


@dataclass(frozen=True, config=_STRICT)
class Settings:
    """One retailer's settings; every path below `home` is derived from it."""

    home: Annotated[
        Folder, _setting("The data home: lake, warehouse, vault, published, Dagster.", "the path of a folder")
    ] = Field(default_factory=lambda: home_folder() / "data")
    source: Annotated[Folder, _setting("Folder of the feeds' files.", "the path of a folder")] = Field(
        default_factory=lambda: home_folder() / "data" / "retailer" / "source"
    )
    contracts: Annotated[Folder, _setting("Folder of the contracts, *.odcs.yaml.", "the path of a folder")] = Field(
        default_factory=lambda: shipped("data_contracts")
    )
    identifiers: Annotated[
        Path | None,
        _setting(
            "Overrides of the shipped identifier policy. Default: identifiers.yaml beside the settings.",
            "the path of a file",
        ),
    ] = None
    own_entities: Annotated[
        Path | None,
        _setting(
            "Folder of the retailer's own entities and columns, *.yaml. Default: canonical/ beside the settings.",
            "the path of a folder",
        ),
    ] = None
    exchange_rates: Annotated[
        Path | None,
        _setting(
            "Exchange rates by day, for a retailer without a feed of them. Default: exchange_rates.csv beside the "
            "settings.",
            "the path of a file",
        ),
    ] = None
    order_matches: Annotated[
        Path | None,
        _setting(
            "Decisions by hand on orders of two systems: one order, or two. Default: order_matches.csv beside the "
            "settings.",
            "the path of a file",
        ),
    ] = None
    order_match_confidence: Annotated[
        Number,
        _setting(
            "Confidence from which two orders of two systems that no source declares the same count once; above 1, "
            "never.",
            "a number from 0.7",
            ge=0.7,
        ),
    ] = 0.95
    gates: Annotated[GateLimits, Field(description="Limits of the gate after OneID.")] = Field(
        default_factory=GateLimits
    )
    reporting_currency: Annotated[
        str,
        _setting("Currency of the *_base amounts.", "an ISO 4217 code, for example CNY", pattern="^[A-Z]{3}$"),
    ] = "CNY"
    time_zone: Annotated[
        str,
        AfterValidator(_time_zone),
        _setting("The retailer's time zone, which defines today.", "an IANA time zone, for example Asia/Shanghai"),
    ] = "Asia/Shanghai"
    as_of: Annotated[
        date | None,
        BeforeValidator(_day_or_none),
        _setting(
            "Day as of which recency, late parcels and complete cohorts are told. Default: the latest of the data.",
            "a day, YYYY-MM-DD",
        ),
    ] = None
    default_region: Annotated[
        str,
        AfterValidator(_region),
        _setting(
            "Country of phone numbers without a country code, if a contract names none.",
            "the ISO 3166 code of a country, for example CN",
        ),
    ] = "CN"
    first_night: Annotated[date, BeforeValidator(_day), _setting("First partition.", "a day, YYYY-MM-DD")] = date(
        2026, 1, 1
    )
    nightly_at: Annotated[
        str,
        _setting("When the nightly schedule runs.", "a time of day HH:MM", pattern=r"^([01]\d|2[0-3]):[0-5]\d$"),
    ] = "02:00"
    published_nights_kept: Annotated[
        Whole, _setting("Nights whose newest publication is kept.", "a whole number from 1", ge=1)
    ] = 7
    threads: Annotated[
        Whole, _setting("Number of DuckDB threads.", "a number from 1 to 1,024, a whole number", ge=1, le=1024)
    ] = 2
    memory_limit: Annotated[
        str,
        _setting(
            "DuckDB's memory limit.", "a size, for example 1500MB or 2GB", pattern=r"^0*[1-9]\d*(\.\d+)?\s*([KMGT]i?B)$"
        ),
    ] = "1500MB"
    lock_wait_seconds: Annotated[
        Number, _setting("How long a run waits for another one before it fails.", "a number from 0", ge=0)
    ] = 60.0
    settle_seconds: Annotated[
        Number,
        _setting("Files modified less than this many seconds ago are left for the next run.", "a number from 0", ge=0),
    ] = 0.0
    orphans_kept_days: Annotated[
        Whole,
        _setting(
            "How long files of unfinished or replaced deliveries are kept in lake/.orphans.",
            "a whole number from 0",
            ge=0,
        ),
    ] = 30
    deployment: Annotated[
        str,
        _setting("`production` switches schedule and sensor on.", "dev or production", pattern="^(dev|production)$"),
    ] = "dev"
    reader_group: Annotated[
        str, _setting("A group whose members may read `published`, and nothing else of the home.", "a group's name")
    ] = ""
    backup_folder: Annotated[
        Path | None,
        _setting("Back-up folder for the weekly restore drill; if empty, there is no drill.", "the path of a folder"),
    ] = None

    def today(self) -> date:
        """Today in the retailer's time zone, which commands, schedules and the partitions of the UI use."""
        return datetime.now(zoneinfo.ZoneInfo(self.time_zone)).date()

    @property
    def canonical(self) -> Path:
        """Folder of the shipped canonical entities; `own_entities` adds to them."""
        return shipped("data_contracts") / "canonical"

    @property
    def own_files(self) -> dict[str, Path]:
        """The files that the retailer keeps by hand, by setting: each lands by the contract of its name in
        data_contracts/own."""
        files = {"exchange_rates": self.exchange_rates, "order_matches": self.order_matches}
        return {setting: file for setting, file in files.items() if file is not None}

    @property
    def dbt_project(self) -> Path:
        """The dbt project of a run: the shipped one; for a retailer with entities of its own, the one that a run
        assembles from it."""
        return self.dbt_target / "project" if self.own_entities else shipped("dbt_project")

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse" / "onedata.duckdb"

    @property
    def lake(self) -> Path:
        return self.home / "lake"

    @property
    def staged(self) -> Path:
        """Landed rows that have not passed the gate."""
        return self.home / "staged"

    @property
    def vault(self) -> Path:
        """Raw identifiers by token, and the key that generates the tokens."""
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
        """The same settings as environment variables, for dbt and child processes."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["gates"] = json.dumps({item.name: getattr(self.gates, item.name) for item in fields(self.gates)})
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


def settings_schema() -> dict[str, Any]:
    """The JSON schema of onedata.toml, for editors."""
    schema = _limits_named(TypeAdapter(Settings).json_schema())
    for name in ("home", "source", "contracts"):
        schema["properties"][name].pop("default", None)
    schema["properties"]["gates"].pop("default", None)
    del schema["$defs"]["GateLimits"]["properties"]["place"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": FILE}


def _limits_named(part: Any) -> Any:
    """Rename the limit keywords: Pydantic writes a limit outside of a validator under its own name."""
    if isinstance(part, list):
        return [_limits_named(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {{"ge": "minimum", "le": "maximum"}.get(key, key): _limits_named(value) for key, value in part.items()}
