"""Transports: how requests reach the service."""

from __future__ import annotations

from loguru import logger

from isthmus_dynamodb.native import Transport
from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports.access import given_access
from isthmus_dynamodb.transports.credentials import GivenKeys
from isthmus_dynamodb.transports.endpoints import Endpoint
from isthmus_dynamodb.transports.fast import FastTransport
from isthmus_dynamodb.transports.proxies import is_proxied


def open_transport(options: Options) -> Transport:
    """The transport that the options ask for, or the boto3 client where a proxy stands between; no request is sent.

    :raises ConfigurationError: no region, an unknown profile, a CA bundle that can't be read
    :raises Unauthenticated: there are no credentials
    """
    given = given_access(options)
    if given is not None and _obstacle(given.endpoint) is None:
        return FastTransport(given, GivenKeys(options))
    return _configured(options)


def _configured(options: Options) -> Transport:
    from isthmus_dynamodb.transports.boto import BotoTransport
    from isthmus_dynamodb.transports.configuration import open_access
    from isthmus_dynamodb.transports.keys import Keys

    access = open_access(options)
    if options.transport == "boto3":
        return BotoTransport(access)
    obstacle = _obstacle(access.endpoint)
    if obstacle is None:
        return FastTransport(access, Keys(access))
    logger.info("DynamoDB at {} {}, so transport boto3 is used", access.endpoint.url, obstacle)
    return BotoTransport(access)


def _obstacle(endpoint: Endpoint) -> str | None:
    """What only the boto3 client can deal with."""
    if is_proxied(endpoint):
        return "is reached through a proxy"
    return "has a path" if endpoint.path.strip("/") else None
