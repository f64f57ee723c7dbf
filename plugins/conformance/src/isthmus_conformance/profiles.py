"""How thoroughly the kit searches: ``dev`` while coding, ``ci`` on each change, ``nightly`` when there is time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from hypothesis import HealthCheck, settings

EXAMPLES_OF: Final[Mapping[str, int]] = {"dev": 30, "ci": 200, "nightly": 2_000}
ENVIRONMENT: Final = "ISTHMUS_CONFORMANCE_PROFILE"

_SUPPRESSED: Final = [
    HealthCheck.function_scoped_fixture,  # examples share one opened database on purpose; each clears what it wrote
    HealthCheck.too_slow,  # a remote store is allowed to be slow
    HealthCheck.differing_executors,  # one inherited test runs for many backends
    HealthCheck.data_too_large,  # limits are probed with large values
]


def chosen() -> str:
    """The profile's name: the option or ``ISTHMUS_CONFORMANCE_PROFILE``, else ``ci`` where ``CI`` is set, else ``dev``.

    :raises ValueError: there is no such profile
    """
    name = os.environ.get(ENVIRONMENT) or ("ci" if os.environ.get("CI", "").lower() in ("1", "true") else "dev")
    if name not in EXAMPLES_OF:
        raise ValueError(f"unknown profile {name!r}: choose one of {', '.join(EXAMPLES_OF)}")
    return name


_suite_share = 1.0


@contextmanager
def sharing(share: float) -> Iterator[None]:
    """Meanwhile run this part of every profile's examples; the plugin does it for a suite's ``share``."""
    global _suite_share  # noqa: PLW0603  # pytest runs one test at a time
    before, _suite_share = _suite_share, share
    try:
        yield
    finally:
        _suite_share = before


def profile(steps: int = 20, share: float = 1.0) -> settings:
    """The Hypothesis settings of the chosen profile for the suite that runs. The caller's own profile stays as it is.

    :param steps: operations in one run of a state machine
    :param share: part of the profile's number of examples, for tests that are slow by nature
    """
    name = chosen()
    return settings(
        max_examples=max(5, round(EXAMPLES_OF[name] * share * _suite_share)),
        stateful_step_count=steps,
        deadline=None,
        derandomize=name == "ci",  # a change is judged by the same examples twice; nightly looks for new ones
        database=None,
        print_blob=True,
        suppress_health_check=_SUPPRESSED,
    )
