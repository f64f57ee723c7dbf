"""``given``: Hypothesis with the kit's profile, counting the examples for the report."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import hypothesis
from hypothesis.strategies import SearchStrategy

from isthmus_conformance.counting import EXAMPLES
from isthmus_conformance.profiles import profile

_Test = TypeVar("_Test", bound=Callable[..., None])


def given(share: float = 1.0, **strategies: SearchStrategy[Any]) -> Callable[[_Test], Callable[..., None]]:
    """Run a test for generated arguments, which are named; the rest stay fixtures.

    :param share: part of the profile's number of examples
    """

    def decorate(test: _Test) -> Callable[..., None]:
        @functools.wraps(test)
        def counted(*arguments: Any, **named: Any) -> None:
            EXAMPLES.add()
            test(*arguments, **named)

        generated: Callable[..., None] = hypothesis.given(**strategies)(counted)
        return profile(share=share)(generated)

    return decorate
