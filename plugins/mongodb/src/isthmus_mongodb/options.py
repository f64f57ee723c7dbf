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
_KNOWN = (*_NAMES, "mappings", "prefix")
DEFAULTS: Mapping[str, str] = {
    "appName": "isthmus",
    "serverSelectionTimeoutMS": "15000",
    "waitQueueTimeoutMS": "10000",
}
_SECRET = ("tlsCertificateKeyFilePassword", "authMechanismProperties")
_COMPRESSORS = frozenset({"zlib", "snappy", "zstd"})
# Other names of programs for what is always so.
_ALIASES: Mapping[str, str] = {"j": "journal"}
_OF_THE_SERVER = frozenset({"admin", "config", "local"})
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
        found = (user, unquote(user.partition(":")[2]), *map(self.settings.get, _SECRET))
        return tuple(secret for secret in found if secret)


def read_options(url: SplitResult, given: Mapping[str, Any]) -> Options:
    """What a URL and the section ``mongodb`` of the configuration say.

    :raises ConfigurationError: no server or database is named, or an option is unknown or would weaken a guarantee
    """
    options = dict(given)
    _check_password(url, options)
    prefix = options.pop("prefix", "")
    mappings, mapping_problems = _mappings(options.pop("mappings", {}))
    problems = [*_address_problems(url), *_prefix_problems(prefix), *_option_problems(options), *mapping_problems]
    if problems:
        raise ConfigurationError("; ".join(problems), problems=problems)
    hosts = url.netloc.rpartition("@")[2]
    settings = {_NAMES[name.lower()]: _text(value) for name, value in options.items() if name.lower() in _NAMES}
    uri = f"{url.scheme}://{url.netloc}{url.path}"
    return Options(uri, hosts, unquote(url.path[1:]), prefix, {**DEFAULTS, **settings}, mappings)


def _check_password(url: SplitResult, options: Mapping[str, Any]) -> None:
    """Refuse a URL of which a password has ended too early; no message may repeat any part of that.

    :raises ConfigurationError: saying what to encode
    """
    ports = [host.rpartition("]")[2].partition(":")[2] for host in url.netloc.rpartition("@")[2].split(",")]
    torn = "@" in url.path or "@" in url.query or "@" in url.fragment or any("@" in name for name in options)
    if torn or not all(port.isdigit() for port in ports if port):
        raise ConfigurationError(
            "the URL's servers can't be told from its password: percent-encode / ? # @ in the password, and write ports"
            " as digits"
        )


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
    elif database.lower() in _OF_THE_SERVER:
        yield f"the database {database!r} belongs to the server: write the name of another one"
    if url.fragment:
        yield "a mongodb URL has no fragment: write '#' in a password as %23"


def _prefix_problems(prefix: object) -> Iterator[str]:
    if not (isinstance(prefix, str) and _PREFIX.fullmatch(prefix)):
        yield "the option prefix is up to 64 of the characters A-Z a-z 0-9 _ and -"


def _option_problems(options: Mapping[str, Any]) -> Iterator[str]:
    seen: set[str] = set()
    for name, value in options.items():
        lower = name.lower()
        if lower in seen:
            yield f"{name} is given twice, in different letters: leave one out"
        seen.add(lower)
        if lower in PINNED:
            if _said(value) != PINNED[lower]:
                yield f"{name} is always {PINNED[lower]}, which the contract rests on: leave it out"
        elif lower == "timeoutms":
            yield f"{name} has no effect here: give a timeout to connect() or to single calls"
        elif lower not in _NAMES:
            near = [_ALIASES[lower]] if lower in _ALIASES else get_close_matches(lower, _KNOWN, 1)
            hint = f"did you mean {_NAMES.get(near[0], near[0])}?" if near else "see the options in the plugin's README"
            yield f"the option {name} is unknown: {hint}"
        elif lower == "replicaset" and not value:
            yield "replicaSet is empty: write the set's name, or leave it out"
        elif lower == "compressors" and not _COMPRESSORS.issuperset(_text(value).split(",")):
            yield f"compressors are some of {', '.join(sorted(_COMPRESSORS))}, with commas between them"


def _said(value: object) -> str:
    text = _text(value).lower()
    return "true" if text == "1" else text


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
