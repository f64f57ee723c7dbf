"""What a URL and its options say: where the service is and how it is used."""

from __future__ import annotations

from attrs import frozen


@frozen
class Options:
    """How the service is used."""
