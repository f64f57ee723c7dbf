"""Making the driver's clients, with all that the contract rests on pinned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo.driver_info import DriverInfo
from pymongo.errors import ConfigurationError as DriverConfigurationError
from pymongo.errors import InvalidName, InvalidURI

from isthmus.errors import ConfigurationError
from isthmus_mongodb.options import Options

_PINNED: dict[str, Any] = {
    "w": "majority",
    "journal": True,
    "readPreference": "primary",
    "readConcernLevel": "majority",
    "retryWrites": True,
    "retryReads": False,
    "maxAdaptiveRetries": 0,
    "driver": DriverInfo("isthmus"),
    "connect": False,
}


def make(kind: Callable[..., Any], options: Options) -> Any:
    """A client of this kind, not yet connected.

    :raises ConfigurationError: the driver refuses the URL or an option
    """
    try:
        return kind(options.uri, **options.settings, **_PINNED)
    except (DriverConfigurationError, InvalidURI, InvalidName, OSError, ValueError, TypeError) as error:
        reason = str(error)
        hidden = any(secret in reason for secret in options.secrets)
        raise ConfigurationError(
            f"the driver refuses the URL of {options.hosts}: {type(error).__name__ if hidden else reason}"
        ) from (None if hidden else error)
