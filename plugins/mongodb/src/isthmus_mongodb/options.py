"""What a URL and its options say: which servers and database, and which of the driver's settings may be changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import SplitResult, unquote

from attrs import field, frozen

from isthmus.errors import ConfigurationError
from isthmus_mongodb.mappings import CollectionMapping, read_mappings

# What the contract rests on. A URL may repeat it, but not weaken it.
PINNED: Mapping[str, str] = {
    "w": "majority",
    "journal": "true",
    "readpreference": "primary",
    "readconcernlevel": "majority",
    "retrywrites": "true",
    "retryreads": "false",
    "maxadaptiveretries": "0",
}
DRIVER_OPTIONS = (
    "appName", "authMechanism", "authMechanismProperties", "authSource", "compressors", "connectTimeoutMS",
    "directConnection", "heartbeatFrequencyMS", "loadBalanced", "localThresholdMS", "maxConnecting",
    "maxIdleTimeMS", "maxPoolSize", "minPoolSize", "replicaSet", "serverMonitoringMode",
    "serverSelectionTimeoutMS", "socketTimeoutMS", "srvMaxHosts", "srvServiceName", "ssl", "tls",
    "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames", "tlsCAFile", "tlsCertificateKeyFile",
    "tlsCertificateKeyFilePassword", "tlsCRLFile", "tlsDisableOCSPEndpointCheck", "tlsInsecure",
    "waitQueueTimeoutMS", "wTimeoutMS", "zlibCompressionLevel",
)  # fmt: skip
_NAMES = {name.lower(): name for name in DRIVER_OPTIONS}
DEFAULTS: Mapping[str, str] = {
    "appName": "isthmus",
    "serverSelectionTimeoutMS": "15000",
    "waitQueueTimeoutMS": "15000",
}
_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,64}")
_DATABASE = re.compile(r"[^/\\. \"$*<>:|?\0]{1,63}")
_EXAMPLE = "mongodb://localhost:27017/shop"


@frozen
class Options:
    """Where the data is, and how the driver is set up.

    :param uri: the driver's connection string without options; it may hold a password
    :param settings: the driver's options by name, as text
    :param hosts: the servers as the URL names them, without credentials
    :param database: the database's name
    :param prefix: stands before the name of each table's collection
    :param mappings: what is said of collections that Isthmus did not make, by table name
    """

    uri: str = field(repr=False)
    hosts: str
    database: str
    prefix: str = ""
    settings: Mapping[str, str] = field(factory=dict, repr=False)
    mappings: Mapping[str, CollectionMapping] = field(factory=dict)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show."""
        user = self.uri.partition("://")[2].rpartition("@")[0]
        found = (user, unquote(user.partition(":")[2]), self.settings.get("tlsCertificateKeyFilePassword", ""))
        return tuple(secret for secret in found if secret)


def read_options(url: SplitResult, given: Mapping[str, Any]) -> Options:
    """What a URL and the section ``mongodb`` of the configuration say.

    :raises ConfigurationError: no server or database is named, or an option is unknown or would weaken a guarantee
    """
    options = dict(given)
    prefix = options.pop("prefix", "")
    mappings, mapping_problems = _mappings(options.pop("mappings", {}))
    problems = [*_address_problems(url), *_prefix_problems(prefix), *_option_problems(options), *mapping_problems]
    if problems:
        raise ConfigurationError("; ".join(problems), problems=problems)
    hosts = url.netloc.rpartition("@")[2]
    settings = {_NAMES[name.lower()]: _text(value) for name, value in options.items() if name.lower() in _NAMES}
    uri = f"{url.scheme}://{url.netloc}{url.path}"
    return Options(uri, hosts, unquote(url.path[1:]), prefix, {**DEFAULTS, **settings}, mappings)


def _mappings(given: object) -> tuple[dict[str, CollectionMapping], list[str]]:
    try:
        return read_mappings(given), []
    except ConfigurationError as error:
        return {}, [*error.problems] or [error.message]


def _address_problems(url: SplitResult) -> Iterator[str]:
    # A user's place may hold a password, so no message repeats it.
    if not url.netloc.rpartition("@")[2]:
        yield f"the URL names no server: write {_EXAMPLE}"
    database = unquote(url.path[1:])
    if not database:
        yield f"the URL names no database: write its name after the server, as in {_EXAMPLE}"
    elif not _DATABASE.fullmatch(database):
        yield f"{database!r} can't be a database's name: use 1 to 63 letters, digits, _ and -"
    if url.fragment:
        yield "a mongodb URL has no fragment: write '#' in a password as %23"


def _prefix_problems(prefix: object) -> Iterator[str]:
    if not (isinstance(prefix, str) and _PREFIX.fullmatch(prefix)):
        yield "the option prefix is up to 64 of the characters A-Z a-z 0-9 _ and -"


def _option_problems(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        lower = name.lower()
        if lower in PINNED:
            if _text(value).lower() != PINNED[lower]:
                yield f"{name} is always {PINNED[lower]}, which the contract rests on: leave it out"
        elif lower == "timeoutms":
            yield f"{name} has no effect here: give a timeout to connect() or to single calls"
        elif lower not in _NAMES:
            near = get_close_matches(lower, [*_NAMES, "mappings", "prefix"], 1)
            hint = f"did you mean {_NAMES.get(near[0], near[0])}?" if near else "see the options in the plugin's README"
            yield f"the option {name} is unknown: {hint}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
