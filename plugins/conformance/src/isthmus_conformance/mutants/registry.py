"""What a mutant is, and the list of all of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Final, TypeVar

from attrs import frozen

from isthmus import Backend, Layer
from isthmus_conformance.rules import RULES

_HOMES: Final = (
    "order", "values", "conditions", "changes", "writes", "pages", "indexes", "batches", "transactions", "revisions",
    "expiry", "tables", "layers",
)  # fmt: skip
_Made = TypeVar("_Made", bound=type[Backend] | type[Layer])


@frozen
class Mutant:
    """A backend or layer with one defect.

    :param rules: the rules that the defect breaks; a test that names one of them should fail
    :param made: the class. A backend takes the test's clock, a layer takes nothing
    """

    name: str
    defect: str
    rules: tuple[str, ...]
    made: type[Backend | Layer]

    @property
    def layer(self) -> bool:
        """Whether it is a layer."""
        return issubclass(self.made, Layer)


MUTANTS: Final[dict[str, Mutant]] = {}
"""Every mutant by name, filled by ``load``."""


def mutant(*rules: str) -> Callable[[_Made], _Made]:
    """Add a class to the list; its docstring says the defect.

    :raises ValueError: a rule is unknown, or the class says nothing
    """
    unknown = [name for name in rules if name not in RULES]
    if unknown or not rules:
        raise ValueError(f"unknown rules {', '.join(unknown) or '(none given)'}: see isthmus_conformance.RULES")

    def add(made: _Made) -> _Made:
        defect = (made.__dict__.get("__doc__") or "").strip()
        name = re.sub(r"(?<!^)(?=[A-Z])", "-", made.__name__).lower()
        if not defect or name in MUTANTS:
            raise ValueError(f"mutant {name} needs a docstring and a name of its own")
        MUTANTS[name] = Mutant(name, defect, rules, made)
        return made

    return add


def load() -> dict[str, Mutant]:
    """All mutants by name."""
    for home in _HOMES:
        import_module(f"isthmus_conformance.mutants.{home}")
    return MUTANTS


def controls() -> dict[str, Mutant]:
    """What the mutants are made from, unbroken: the kit must pass these."""
    from isthmus.memory import MemoryBackend
    from isthmus_conformance.example_layers import Caching, Sealing

    made: dict[str, type[Backend | Layer]] = {
        "control-backend": MemoryBackend,
        "control-sealing": Sealing,
        "control-caching": Caching,
    }
    return {name: Mutant(name, "nothing is broken", (), subject) for name, subject in made.items()}


def find(name: str) -> Mutant:
    """The mutant or control of that name.

    :raises KeyError: there is none
    """
    return {**load(), **controls()}[name]
