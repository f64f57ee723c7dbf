"""Where the service is: the parts of an endpoint that a connection and a signature need."""

from __future__ import annotations

from urllib.parse import urlsplit

from attrs import frozen

from isthmus.errors import ConfigurationError


@frozen
class Endpoint:
    """An address of the service.

    :param host: the name or address to connect to, without brackets
    :param authority: host and port as they stand in the header ``Host``
    :param path: empty or ``/``; anything else is for the boto3 client alone
    """

    url: str
    host: str
    port: int
    tls: bool
    authority: str
    path: str

    @classmethod
    def of(cls, url: str) -> Endpoint:
        """The parts of a URL.

        :raises ConfigurationError: it holds a user name or a password, which no message repeats
        :raises ValueError: it is no URL
        """
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise ConfigurationError(
                "the endpoint holds a user name or a password, which DynamoDB has no use for: take them out of the"
                " option endpoint, AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL or the profile"
            )
        tls = parts.scheme == "https"
        host, usual = parts.hostname or "", 443 if tls else 80
        port = parts.port or usual
        shown = f"[{host}]" if ":" in host else host
        return cls(url.rstrip("/"), host, port, tls, shown if port == usual else f"{shown}:{port}", parts.path)
