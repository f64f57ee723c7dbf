"""Proxies that the environment asks for."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

from isthmus_dynamodb.transports.endpoints import Endpoint


def is_proxied(endpoint: Endpoint) -> bool:
    """Whether ``HTTP_PROXY`` or ``HTTPS_PROXY`` holds for the endpoint and ``NO_PROXY`` does not name it."""
    scheme = "https" if endpoint.tls else "http"
    return bool(getproxies().get(scheme)) and not proxy_bypass(endpoint.authority)
