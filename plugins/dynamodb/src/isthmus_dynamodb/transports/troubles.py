"""What both transports say when the service can't be reached or does not answer."""

from __future__ import annotations

import ssl

from isthmus.errors import Unavailable

CHECKSUM = "the answer does not match its CRC32 checksum (x-amz-crc32): it was damaged on the way"


def unreached(url: str, reason: str) -> str:
    """No connection came about."""
    return f"{url} can't be reached ({reason}): check region and endpoint"


def refused_certificate(url: str, error: ssl.SSLCertVerificationError) -> Unavailable:
    """The service's certificate is not to be trusted; another attempt would not change that."""
    reason = error.verify_message or error.reason or "certificate verify failed"
    return Unavailable(
        f"the TLS certificate of {url} is refused ({reason}): check the endpoint and the option ca_bundle",
        retryable=False,
    )
