"""Settings: location of the data and behaviour of the nightly build. model.py defines them, load.py reads them."""

from onedata.settings.load import IDENTIFIERS, SettingsError, load_settings
from onedata.settings.model import FILE, GateLimits, Settings, home_folder, settings_schema

__all__ = [
    "FILE",
    "IDENTIFIERS",
    "GateLimits",
    "Settings",
    "SettingsError",
    "home_folder",
    "load_settings",
    "settings_schema",
]
