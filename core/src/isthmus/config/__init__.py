"""Configuration: by URL, by ``isthmus.toml``, by environment and by code, in this order of rising precedence.

- **URL**: the query holds options of the backend, ``sqlite:///shop.db?synchronous=off``.
- **File**: ``isthmus.toml`` in the working directory, or the file that ``config_file=`` or ``ISTHMUS_CONFIG`` names.
  Its table ``[isthmus]`` holds ``url``, ``plugins``, ``blocked`` and ``timeout``; ``[isthmus.retry]`` the retry policy;
  and ``[isthmus.<name>]`` the options of the plugin or backend of that name.
- **Environment**: ``ISTHMUS_URL``, ``ISTHMUS_PLUGINS`` (a comma-separated list), ``ISTHMUS_BLOCKED``,
  ``ISTHMUS_TIMEOUT``, ``ISTHMUS_RETRY__ATTEMPTS``,
  ``ISTHMUS_SQLITE__SYNCHRONOUS``; a hyphen in a name is written as an underscore.
- **Code**: keyword arguments of ``connect``; a section is a mapping, ``sqlite={"synchronous": "off"}``.

Text of the form ``secret:env:NAME`` or ``secret:file:/path`` stands for a secret kept elsewhere (``isthmus.secrets``).
Reading a file or a variable needs typed-settings (``pip install "isthmus[config]"``); URLs and code don't.
"""

from isthmus.config.loading import active_plugins, load_settings
from isthmus.config.settings import SettingRow, Settings, describe_settings

__all__ = ["SettingRow", "Settings", "active_plugins", "describe_settings", "load_settings"]
