"""How a run goes about its work; none of it changes what is written, so none of it is part of the plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import asdict, field, frozen

from isthmus.errors import InvalidArgument
from isthmus_migration.coordination.control import Rates

Listener = Callable[[str, dict[str, Any]], None]
"""Told of what happens, between slices: a code and JSON-ready data.

The codes: ``state`` of the migration, ``table_created`` in the target, ``phase`` begins, ``slice`` was journaled,
``progress`` (figures, once a second), ``dead`` are items, ``waiting`` for a place and ``working_again``,
``worker_died``, ``slice_failed`` for good, ``engine_lost`` and ``engine_back``, ``paused``, ``going_on``, ``stopping``,
a phase ``ended``. The reference of files says what comes with each.
"""


def _silent(_code: str, _data: dict[str, Any]) -> None:
    pass


@frozen
class DeadLimit:
    """How many dead letters end a run.

    :param count: a number of items
    :param share: a share of the items read so far, 0 to 1; judged from 1,000 items on
    :raises InvalidArgument: it is none
    """

    count: int | None = None
    share: float | None = None

    def __attrs_post_init__(self) -> None:
        given: dict[str, Any] = asdict(self)
        for name, most in (("count", float("inf")), ("share", 1)):
            limit = given[name]
            if limit is not None and not (isinstance(limit, (int, float)) and 0 <= limit <= most):
                raise InvalidArgument(
                    f"{name} is {limit!r}: a limit of dead letters is a number, or a share from 0 to 1"
                )

    @classmethod
    def parse(cls, text: str) -> DeadLimit:
        """The limit that a text like ``100`` or ``0.1%`` says.

        :raises InvalidArgument: it says none
        """
        try:
            return cls(share=float(text[:-1]) / 100) if text.endswith("%") else cls(count=int(text))
        except (ValueError, InvalidArgument):
            raise InvalidArgument(
                f"{text!r} is no limit of dead letters: give a number, or a share like 0.1%"
            ) from None

    def exceeded(self, dead: int, read: int) -> bool:
        """Whether there are more dead letters than allowed."""
        if self.count is not None and dead > self.count:
            return True
        return self.share is not None and read >= 1_000 and dead > self.share * read


@frozen
class RunOptions:
    """Options of a run.

    :param slice_items: most items of a slice
    :param rates: how fast the whole run may be
    :param max_dead: when to give up; without it, dead letters never end a run
    :param patience: seconds for which a place that can't be used is tried again before the run is paused
    :param slice_seconds: a worker that takes longer over one slice is taken to hang and is ended, where it can be
    :param listener: told of progress
    :raises InvalidArgument: a number is not positive
    """

    slice_items: int = 1_000
    rates: Rates = field(factory=Rates)
    max_dead: DeadLimit = field(factory=DeadLimit)
    patience: float = 120.0
    slice_seconds: float = 900.0
    listener: Listener = field(default=_silent, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.slice_items < 1:
            raise InvalidArgument(f"slice_items is {self.slice_items}: give a positive number")
        for name, seconds in (("patience", self.patience), ("slice_seconds", self.slice_seconds)):
            if not seconds >= 0:
                raise InvalidArgument(f"{name} is {seconds:g}: give a number of seconds")
