"""What a URL and its options say: where the service is, who calls, and how it is used."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from attrs import Attribute, evolve, field, frozen
from attrs.validators import in_, optional

from isthmus import BackendConfig
from isthmus.errors import ConfigurationError

TransportName = Literal["fast", "boto3"]
Billing = Literal["on_demand", "provisioned"]
Validator = Callable[[object, "Attribute[Any]", Any], None]

_REGION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{0,200}")
_URL_FORM = "a dynamodb URL is dynamodb://REGION/, dynamodb://eu-west-1/ say; an endpoint is an option of it:"
_URL_HINT = f"{_URL_FORM} dynamodb://eu-west-1/?endpoint=http://localhost:8000"


def _between(low: float, high: float) -> Validator:
    def check(_options: object, attribute: Attribute[Any], value: float) -> None:
        if not low <= value <= high:
            raise ValueError(f"{attribute.name} is a number from {low:g} to {high:g}")

    return check


def _matches(pattern: re.Pattern[str], what: str) -> Validator:
    def check(_options: object, attribute: Attribute[Any], value: str) -> None:
        if not pattern.fullmatch(value):
            raise ValueError(f"{attribute.name} is {what}")

    return check


def _check_endpoint(_options: object, attribute: Attribute[Any], value: str) -> None:
    # An endpoint may hold a password by mistake, so no message repeats it.
    if not _is_endpoint(value):
        raise ValueError(f"{attribute.name} is http:// or https:// with a host and a port: http://localhost:8000")


def _is_endpoint(value: str) -> bool:
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        return False
    extra = url.path.strip("/") or "?" in value or "#" in value or "@" in url.netloc
    printable = value.isascii() and value.isprintable() and " " not in value
    return url.scheme in ("http", "https") and bool(url.hostname) and port != 0 and not extra and printable


@frozen
class Options:
    """How the service is reached and used. What is not given here comes from the AWS configuration.

    :param endpoint: the service's address where it is not the region's own
    :param region: the region; the URL's host wins
    :param profile: a profile of the AWS configuration
    :param access_key_id: with ``secret_access_key``: credentials in place of those of the AWS configuration
    :param secret_access_key: the other half; write where it is, ``secret:env:NAME`` say
    :param session_token: with the two above, where they are temporary; nothing can refresh these
    :param prefix: what the names of all tables begin with in the service
    :param transport: the connections of this package (``fast``), or the plain boto3 client
    :param ca_bundle: a file of certificates to trust in place of the system's
    :param connect_timeout: longest wait for a connection and its TLS handshake, seconds
    :param read_timeout: longest wait for a whole answer, seconds
    :param max_connections: connections that may be open at once; for each event loop, and for all threads together
    :param pool_timeout: longest wait for a connection while all are in use, seconds
    :param billing: capacity of new tables and indexes
    :param read_units: provisioned read capacity of a new table and of each index
    :param write_units: provisioned write capacity, likewise
    :param local_indexes: indexes of new tables that are made as local ones, each as ``index`` or ``table.index``; they
        need the table's partition key. All others are global
    :param operation_ids: whether a write that must not happen twice stores an id by which a repetition recognises it
    """

    endpoint: str | None = field(default=None, validator=optional(_check_endpoint))
    region: str | None = field(
        default=None, validator=optional(_matches(_REGION, "a region's name, eu-west-1 say; an address is an endpoint"))
    )
    profile: str | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    prefix: str = field(
        default="", validator=_matches(_PREFIX, "up to 200 letters, digits, dashes, dots and underscores")
    )
    transport: TransportName = field(default="fast", validator=in_(get_args(TransportName)))
    ca_bundle: str | None = None
    connect_timeout: float = field(default=3.0, validator=_between(0.01, 600))
    read_timeout: float = field(default=10.0, validator=_between(0.01, 600))
    max_connections: int = field(default=64, validator=_between(1, 4096))
    pool_timeout: float = field(default=5.0, validator=_between(0, 600))
    billing: Billing = field(default="on_demand", validator=in_(get_args(Billing)))
    read_units: int = field(default=5, validator=_between(1, 1_000_000))
    write_units: int = field(default=5, validator=_between(1, 1_000_000))
    local_indexes: tuple[str, ...] = ()
    operation_ids: bool = True

    def __attrs_post_init__(self) -> None:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ConfigurationError("access_key_id and secret_access_key are given together or not at all")
        if self.session_token is not None and self.access_key_id is None:
            raise ConfigurationError("a session_token needs access_key_id and secret_access_key")
        if self.access_key_id is not None and self.profile is not None:
            raise ConfigurationError("profile and access_key_id exclude each other: give one of them")


def read_options(config: BackendConfig) -> Options:
    """The options of a database that is about to open, with the region from its URL.

    :raises ConfigurationError: the URL has another form, or an option a value that is not allowed
    """
    region = _region(config.url)
    try:
        options = Options(**config.options)
        return evolve(options, region=region) if region else options
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"an option of dynamodb is not allowed: {error.args[0]}") from None


def _region(url: SplitResult) -> str | None:
    # A host's place may hold a password, so no message repeats it.
    if "@" in url.netloc:
        raise ConfigurationError("a dynamodb URL holds no credentials: use the options access_key_id or profile")
    if url.path.strip("/") or url.fragment or (url.netloc and not _REGION.fullmatch(url.netloc)):
        raise ConfigurationError(_URL_HINT)
    return url.netloc.lower() or None
