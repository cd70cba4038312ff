"""Settings: where the data lies and how the nightly build behaves. The model is in model.py, reading it in load.py."""

from onedata.settings.load import IDENTIFIERS, SettingsError, load_settings
from onedata.settings.model import GateLimits, Settings, home_folder, settings_schema

__all__ = ["IDENTIFIERS", "GateLimits", "Settings", "SettingsError", "home_folder", "load_settings", "settings_schema"]
