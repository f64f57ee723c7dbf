"""What a verification was asked for; written to the journal, so that an interrupted one goes on as it began."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from attrs import asdict, frozen

from isthmus.errors import InvalidArgument

Level = Literal["count", "sample", "digest", "full"]
"""How thorough a verification is.

``count`` compares numbers of items, and digests where items expire, as numbers could not tell these from lost ones;
``sample`` looks some keys up on both sides; ``digest`` compares digests of all items and names those that differ;
``full`` compares all items one by one and says in which fields they differ.
"""

_MOST_SAMPLED: Final = 1_000_000


@frozen
class Settings:
    """A verification's settings.

    :param sample: how many keys of each table the level ``sample`` looks up
    :param seed: decides which keys these are
    :param extra: whether items that only the target has are mismatches; ``None`` is yes, except for tables that held
        items of others before the migration
    """

    level: Level = "digest"
    sample: int = 1_000
    seed: int = 0
    extra: bool | None = None

    @classmethod
    def checked(cls, level: str, sample: int, seed: int, extra: bool | None) -> Settings:  # a factory
        """Settings from a caller's arguments.

        :raises InvalidArgument: there is no such level, or the sample has no sensible size
        """
        if level not in get_args(Level):
            raise InvalidArgument(f"there is no level {level!r}: choose {', '.join(get_args(Level))}")
        if not 0 < sample <= _MOST_SAMPLED:
            raise InvalidArgument(f"a sample has 1 to {_MOST_SAMPLED:,} keys, not {sample}")
        return cls(level, sample, seed, extra)  # type: ignore[arg-type]  # checked above

    def counts_extra(self, *, occupied: bool) -> bool:
        """Whether items that only the target has are mismatches.

        :param occupied: whether the table held items of others before
        """
        return not occupied if self.extra is None else self.extra

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON-ready data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Settings:
        """The settings that ``to_dict`` described."""
        return cls(**data)
