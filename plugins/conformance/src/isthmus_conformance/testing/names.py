"""Names of tables that belong to a run of tests: a run and each of its tests have a prefix of their own."""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

from attrs import frozen

_START: Final = "isthmus-test"
# Whatever doesn't look exactly like this belongs to somebody else.
_NAME: Final = re.compile(r"isthmus-test-([0-9a-f]{8})-([0-9a-f]{8})-[0-9]+-[A-Za-z0-9_-]+")


@frozen
class RunPrefix:
    """What the names of all tables of one run begin with: the time of its start, and a random part."""

    text: str

    @classmethod
    def new(cls, now: float | None = None) -> RunPrefix:
        """A prefix that no other run has."""
        moment = int(time.time() if now is None else now)
        return cls(f"{_START}-{moment:08x}-{secrets.token_hex(4)}-")

    def of_test(self, number: int) -> str:
        """The prefix of one test."""
        return f"{self.text}{number}-"


def started_at(name: str) -> int | None:
    """When the run began that a table belongs to, seconds since the epoch; ``None`` where it belongs to none."""
    found = _NAME.fullmatch(name)
    return None if found is None else int(found[1], 16)
