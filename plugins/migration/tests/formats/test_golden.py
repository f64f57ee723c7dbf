"""Exports that the first release wrote: later ones must read them, and mean the same by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus_migration.digests import BucketDigest
from isthmus_migration.places.exports import open_export
from plugins.migration.tests.formats.helpers import CITIES, LOSSLESS, cities, read

_GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("form", LOSSLESS)
def test_an_export_of_the_first_release_is_read(form: str) -> None:
    """Definition, items and digest of a stored export are still the same."""
    with open_export(_GOLDEN / form) as place:
        assert place.tables() == [CITIES]
        assert read(place) == (cities(4), [])
        assert place.digest(CITIES) == BucketDigest.of(cities(4), CITIES.key_names)
