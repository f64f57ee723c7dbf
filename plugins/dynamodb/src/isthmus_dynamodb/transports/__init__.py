"""Transports: how requests reach the service."""

from __future__ import annotations

from isthmus_dynamodb.native import Transport
from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports.access import open_access
from isthmus_dynamodb.transports.boto import BotoTransport


def open_transport(options: Options) -> Transport:
    """The transport that the options ask for; no request is sent.

    :raises ConfigurationError: no region, an unknown profile, a CA bundle that can't be read
    :raises Unauthenticated: there are no credentials
    """
    return BotoTransport(open_access(options))
