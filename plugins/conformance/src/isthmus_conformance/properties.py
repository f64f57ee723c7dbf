"""``given``: Hypothesis with the kit's profile, counting the examples for the report."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import hypothesis
from hypothesis.strategies import SearchStrategy

from isthmus_conformance.counting import EXAMPLES
from isthmus_conformance.profiles import profile

_Test = TypeVar("_Test", bound=Callable[..., None])


def given(share: float = 1.0, **strategies: SearchStrategy[Any]) -> Callable[[_Test], Callable[..., None]]:
    """Run a test for generated arguments, which are named; the rest stay fixtures.

    The settings are chosen when the test runs, as they depend on the suite that inherits it.

    :param share: part of the profile's number of examples
    """

    def decorate(test: _Test) -> Callable[..., None]:
        @functools.wraps(test)
        def counted(*arguments: Any, **named: Any) -> None:
            EXAMPLES.add()
            test(*arguments, **named)

        @functools.wraps(test)
        def run(*arguments: Any, **named: Any) -> None:
            generated: Callable[..., None] = hypothesis.given(**strategies)(counted)
            profile(share=share)(generated)(*arguments, **named)

        run.__signature__ = _without(test, strategies)  # type: ignore[attr-defined]  # pytest looks for fixtures in it
        return run

    return decorate


def _without(test: Callable[..., None], names: Collection[str]) -> inspect.Signature:
    whole = inspect.signature(test)
    return whole.replace(parameters=[each for name, each in whole.parameters.items() if name not in names])
