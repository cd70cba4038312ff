"""Read settings: a TOML file, overridden by the environment. Every mistake names file, line, value and accepted
values."""

import grp
import json
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from onedata.errors import OnedataError, did_you_mean
from onedata.settings.model import FILE, Settings, home_folder, settings_schema
from onedata.shipped import checkout

OTHER_VARIABLES = (
    "ONEDATA_SETTINGS",
    "ONEDATA_WAREHOUSE",
    "ONEDATA_LAKE",
    "ONEDATA_USABLE",
    "ONEDATA_OWN_FILES_WITH_ROWS",
    "ONEDATA_SHARED_DATA",
)
IDENTIFIERS = "identifiers.yaml"
OWN_ENTITIES = "canonical"
EXCHANGE_RATES = "exchange_rates.csv"
ORDER_MATCHES = "order_matches.csv"
OPTIONAL_PATHS = ("identifiers", "own_entities", "exchange_rates", "order_matches", "backup_folder")
EMPTY_IS_NONE = (*OPTIONAL_PATHS, "as_of")
PATHS = ("home", "source", "contracts", *OPTIONAL_PATHS)


class SettingsError(OnedataError):
    """A setting is unknown or has an invalid value."""


def load_settings(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of `file`, overridden by the environment. Without a file: that of ONEDATA_SETTINGS, else the
    onedata.toml of the working folder, else the built-in retailer below ./data (of the checkout, if there is one).

    Raises:
        SettingsError: the file is missing or not TOML, a setting is unknown or invalid, or there is no retailer.
    """
    env = os.environ if environment is None else environment
    if file is None and env.get("ONEDATA_SETTINGS"):
        file = Path(env["ONEDATA_SETTINGS"])
    if file is None and (Path(FILE).exists() or Path(FILE).is_symlink()):
        file = Path(FILE)
    _known_environment(env)
    _require_retailer(file, env)
    values = _read_file(file) if file else {}
    typed = {field.name: env[name] for field in fields(Settings) if env.get(name := f"ONEDATA_{field.name.upper()}")}
    values |= {name: _from_text(name, text) for name, text in typed.items()}
    _place_gates(values, file, "gates" in typed)
    home = values.get("home", home_folder() / "data")
    beside = {"source": home / "retailer" / "source"} if isinstance(home, Path) else {}
    try:
        settings = TypeAdapter(Settings).validate_python(beside | values)
    except ValidationError as error:
        raise SettingsError(_in_words(error, file, typed)) from None
    _check_group(settings.reader_group)
    return settings


def _place_gates(values: dict[str, Any], file: Path | None, from_variable: bool) -> None:
    """Note where the limits are written. The variable of a child process carries the place that its parent found."""
    gates = values.get("gates", {})
    if not isinstance(gates, dict):
        return
    if from_variable:
        values["gates"] = {"place": "the environment variable ONEDATA_GATES"} | gates
    elif file and "place" in gates:
        raise SettingsError(f"{_place(file, 'place')}: gates: unknown setting 'place'")
    elif file:
        values["gates"] = gates | {"place": f"[gates] of {file.resolve()}"}


def _require_retailer(file: Path | None, env: Mapping[str, str]) -> None:
    if not (file or env.get("ONEDATA_HOME") or (home_folder() / "data").exists() or checkout()):
        raise SettingsError(
            f"there is no retailer in {Path.cwd()}: make one with `onedata init my_retailer`, see the built-in one "
            f"with `onedata demo`, or name the {FILE} of yours with --settings"
        )


def _known_environment(env: Mapping[str, str]) -> None:
    known = {f"ONEDATA_{field.name.upper()}" for field in fields(Settings)} | set(OTHER_VARIABLES)
    for name in sorted(env):
        if name.startswith("ONEDATA_") and name not in known:
            raise SettingsError(f"environment variable {name} is no setting{did_you_mean(name, sorted(known))}")


def _in_words(error: ValidationError, file: Path | None, typed: Collection[str]) -> str:
    """The first mistake: its place, its value, and the accepted values."""
    mistake = error.errors()[0]
    setting, *inner = map(str, mistake["loc"])
    schema = settings_schema()
    known, name, of = schema["properties"], setting, ""
    if inner:
        known, name, of = schema["$defs"]["GateLimits"]["properties"], inner[0], f"{setting}: "
    where = f"environment variable ONEDATA_{setting.upper()}" if setting in typed else _place(file, name)
    if mistake["type"] == "unexpected_keyword_argument":
        listed = ", ".join(sorted(known))
        return f"{where}: {of}unknown setting {name!r}{did_you_mean(name, known)}; known are {listed}"
    reason = str(mistake.get("ctx", {}).get("error", ""))
    takes = known[name].get("takes", "a table of limits, [gates]")
    return f"{where}: setting {of}{name}" + (f": {reason}" if reason else f" is {mistake['input']!r}; it takes {takes}")


def _place(file: Path | None, name: str) -> str:
    """The file, with the line in which the setting is written if it has one of its own."""
    if file is None:
        return "the settings"
    lines = file.read_text(encoding="utf-8").splitlines()
    written = [number for number, line in enumerate(lines, 1) if re.match(rf"\s*{re.escape(name)}\s*=", line)]
    return f"{file}:{written[0]}" if written else str(file)


def _check_group(name: str) -> None:
    """The group must exist, and this process must be allowed to assign files to it."""
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
    """The settings of a file, with paths relative to it."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"no settings file {file}") from None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read as a settings file: {error.strerror}") from None
    except RecursionError:
        raise SettingsError(f"{file} is nested too deeply for settings") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}") from None
    folder = file.resolve().parent
    values: dict[str, Any] = {"home": folder / "data"}
    for name, own in (
        ("identifiers", IDENTIFIERS),
        ("own_entities", OWN_ENTITIES),
        ("exchange_rates", EXCHANGE_RATES),
        ("order_matches", ORDER_MATCHES),
    ):
        if (folder / own).exists() or (folder / own).is_symlink():
            values[name] = folder / own
    return values | {name: _path(name, value, folder) for name, value in content.items()}


def _from_text(name: str, text: str) -> Any:
    """A variable's text, parsed as its setting requires."""
    if name == "gates":
        try:
            return json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"environment variable ONEDATA_GATES is not JSON: {error}") from None
    return _path(name, text, Path.cwd())


def _path(name: str, value: Any, base: Path) -> Any:
    """Resolve paths against `base`; other values are unchanged."""
    if value == "" and name in EMPTY_IS_NONE:
        return None
    if name not in PATHS or not isinstance(value, str) or not value:
        return value
    try:
        return (base / Path(value).expanduser()).resolve()
    except (RuntimeError, OSError) as error:
        raise SettingsError(f"setting {name} is {value!r}; it takes the path of a folder ({error})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{twice[0]} stands twice")
    return dict(pairs)
