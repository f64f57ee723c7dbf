"""How the service is reached: as the options say, where they say all of it, else as the AWS configuration does."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from attrs import field, frozen

from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports.endpoints import Endpoint

_SERVICE = "dynamodb"


@frozen
class Access:
    """What requests need to reach the service, and to be signed.

    :param make_client: makes the boto3 client with the same endpoint and credentials, or gives the one that there is
    :param credentials: botocore's object, which refreshes itself where it can; ``None`` for those of the options
    :param ca_bundle: the file to trust, or ``None`` for the system's certificates
    """

    options: Options
    make_client: Callable[[], Any] = field(repr=False)
    credentials: Any
    region: str
    signing_name: str
    endpoint: Endpoint
    ca_bundle: str | None

    @property
    def client(self) -> Any:
        """The boto3 client."""
        return self.make_client()


def given_access(options: Options) -> Access | None:
    """The access that the options alone decide, as they do for a local service; ``None`` where they leave some open.

    With TLS, the AWS configuration may say whom to trust.

    :raises ConfigurationError: the endpoint holds a user name or a password
    """
    region, url = options.region, options.endpoint
    if region is None or url is None or options.transport != "fast":
        return None
    if not (options.access_key_id and options.secret_access_key):
        return None
    endpoint = Endpoint.of(url)
    if endpoint.tls:
        return None
    return Access(options, cache(lambda: _client(options)), None, region, _SERVICE, endpoint, None)


def _client(options: Options) -> Any:
    from isthmus_dynamodb.transports.configuration import client_of  # takes longer than opening the rest

    return client_of(options)
