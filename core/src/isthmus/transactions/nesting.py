"""Which units of work are open: one for each database in a thread or task."""

from __future__ import annotations

import asyncio
import threading
from weakref import WeakValueDictionary

from isthmus.errors import InvalidArgument
from isthmus.pipeline import Pipeline

# A task itself is part of the place: its number could be given to another one while the unit of work is open.
Place = tuple[int, int, asyncio.Task[object] | None]
# One that is given up without having ended is forgotten with its object.
_open: WeakValueDictionary[Place, object] = WeakValueDictionary()


def enter(pipeline: Pipeline, unit: object) -> Place:
    """Note that a unit of work begins; what ``leave`` takes.

    :raises InvalidArgument: one of the same database is open here
    """
    place = (id(pipeline), threading.get_ident(), _task())
    if place in _open:
        raise InvalidArgument(
            "a unit of work of this database is open here already: pass its tx on and use that, or let it end first"
        )
    _open[place] = unit
    return place


def leave(place: Place) -> None:
    """Note that a unit of work has ended."""
    _open.pop(place, None)


def _task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return None
