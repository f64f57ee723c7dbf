"""What a worker on another machine must have, looked at there before anything is handed out."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote

from attrs import frozen

from isthmus.errors import ConfigurationError
from isthmus_migration.places.references import folder_of, is_folder
from isthmus_migration.plans.plan import Plan

_ENVIRONMENT = "env:"
_SQLITE = "sqlite:///"


@frozen
class Sight:
    """What one worker sees.

    :param missing: variables that are not set there
    :param unseen: files and folders that it can't see
    """

    host: str
    python: str
    release: str
    missing: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


@frozen
class Needs:
    """What every worker has to see.

    :param variables: names in its environment
    :param paths: files and folders that all machines share
    :param here: files that only processes of one machine can share
    """

    variables: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    here: tuple[str, ...] = ()


def needs_of(plan: Plan, token: Path) -> Needs:
    """What workers need for a plan.

    :param token: a new file in the work directory: who sees it sees the directory
    """
    places = [place.reference.text for place in (plan.source, plan.target)]
    images = any(not table.created and (table.occupied or plan.keep_images) for table in plan.tables)
    return Needs(
        tuple(text.removeprefix(_ENVIRONMENT) for text in places if text.startswith(_ENVIRONMENT)),
        (*((str(token),) if images else ()), *(folder_of(text) for text in places if is_folder(text))),
        tuple(unquote(text.removeprefix(_SQLITE).partition("?")[0]) for text in places if text.startswith(_SQLITE)),
    )


def look(needs: Needs) -> Sight:
    """Look around; runs on a worker."""
    return Sight(
        socket.gethostname(), ".".join(platform.python_version_tuple()[:2]), version("isthmus-migration"),
        tuple(name for name in needs.variables if not os.environ.get(name)),
        tuple(path for path in needs.paths if not Path(path).exists()),
    )  # fmt: skip


def check_sights(sights: Mapping[str, Sight | BaseException], needs: Needs) -> None:
    """Refuse workers that can't do the work.

    :param sights: what each worker saw, by its address, or why it could not look
    :raises ConfigurationError: what is missing where, and what to do
    """
    own = look(Needs())
    for address, sight in sights.items():
        if isinstance(sight, BaseException):
            raise ConfigurationError(
                f"worker {address} can't load isthmus-migration ({type(sight).__name__}): install it, with the plugins "
                "of both databases, in the same versions on all workers"
            ) from sight
        for problem in _problems(own, sight, needs):
            raise ConfigurationError(f"worker {address} on {sight.host} can't take part: {problem}")


def _problems(own: Sight, sight: Sight, needs: Needs) -> Iterator[str]:
    if sight.python != own.python:
        yield f"it has Python {sight.python}, here is {own.python}: use the same on all"
    if sight.release != own.release:
        yield f"it has isthmus-migration {sight.release}, here is {own.release}: install the same on all"
    if sight.missing:
        yield f"{', '.join(sight.missing)} is not set in its environment: put the URL there"
    if sight.unseen:
        yield (
            f"it does not see {', '.join(sight.unseen)}: pre-images and exports need a folder that all machines share, "
            "so put the work directory there"
        )
    if needs.here and sight.host != own.host:
        yield f"{', '.join(needs.here)} is a file of this machine: use the engine processes"
