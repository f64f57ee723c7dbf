"""The numbered contract as the kit knows it, and ``rule``: how a test names what it proves."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final, TypeVar

import pytest
from attrs import frozen

PROVEN: Final = "proven"
_NAMED: Final = "__isthmus_rules__"
_Test = TypeVar("_Test", bound=Callable[..., Any] | type)


@frozen
class Rule:
    """One rule of the contract.

    :param status: ``proven``; ``not yet: <the issue that brings it>``; or ``not offered: <the reason>``, with the theme
        that may bring it
    :param why: why the rule is not as it was first designed; empty where it is
    """

    id: str
    text: str
    status: str
    why: str = ""

    @property
    def proven(self) -> bool:
        """Whether some test has to name it."""
        return self.status == PROVEN


def _read() -> dict[str, Rule]:
    areas = tomllib.loads(files("isthmus_conformance").joinpath("contract.toml").read_text(encoding="utf-8"))
    rules = {}
    for area, entries in areas.items():
        for number, entry in entries.items():
            told = {"text": entry} if isinstance(entry, str) else entry
            name = f"{area}-{number}"
            rules[name] = Rule(name, told["text"], _status(told), told.get("why", ""))
    return rules


def _status(told: Mapping[str, str]) -> str:
    if "not_yet" in told:
        return f"not yet: {told['not_yet']}"
    if "not_offered" in told:
        theme = f" (theme: {told['theme']})" if "theme" in told else ""
        return f"not offered: {told['not_offered']}{theme}"
    return PROVEN


RULES: Final[Mapping[str, Rule]] = _read()
"""Every rule by its identifier, in the order of the contract."""


def rule(*ids: str) -> Callable[[_Test], _Test]:
    """Mark a test function, or the class of a state machine, with the rules that it proves.

    :raises ValueError: there is no rule of that identifier
    """
    unknown = [name for name in ids if name not in RULES]
    if unknown or not ids:
        raise ValueError(f"unknown rules {', '.join(unknown) or '(none given)'}: see isthmus_conformance.RULES")

    def mark(test: _Test) -> _Test:
        setattr(test, _NAMED, (*rules_of(test), *ids))
        return test if isinstance(test, type) else pytest.mark.rule(*ids)(test)

    return mark


def rules_of(test: object) -> tuple[str, ...]:
    """The rules that a test names."""
    named: tuple[str, ...] = getattr(test, _NAMED, ())
    return named
