"""``Misfit``: a value that is not of its field's type, with the way to it. It never leaves a repository as it is."""

from __future__ import annotations

from isthmus.errors import InvalidValue
from isthmus.expressions import path_text
from isthmus.values import type_name


class Misfit(Exception):
    """Raised by codecs; those of containers put their own part of the way in front."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(found, wanted)
        self.found = found
        self.wanted = wanted
        self.way: tuple[str | int, ...] = ()

    def below(self, element: str | int) -> Misfit:
        """The same, seen from the container that holds it."""
        self.way = (element, *self.way)
        return self

    @property
    def place(self) -> str:
        """The way for people: ``address.lines[0]``."""
        return path_text(self.way)


def stored_misfit(value: object, wanted: str) -> Misfit:
    """A stored value of another type than wanted."""
    try:
        return Misfit(f"a {type_name(value)}", wanted)
    except InvalidValue:
        return Misfit(f"a {type(value).__name__}", wanted)


def given_misfit(value: object, wanted: str) -> Misfit:
    """A Python value of another type than its field's."""
    name = type(value).__name__
    article = "an" if name[0] in "aeiouAEIOU" else "a"
    return Misfit("None" if value is None else f"{article} {name}", wanted)
