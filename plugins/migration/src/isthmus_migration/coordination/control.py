"""Commands from another shell: a small file in the work directory that the coordinator looks at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from attrs import asdict, evolve, frozen

from isthmus.errors import InvalidArgument
from isthmus_migration.errors import WorkDirectoryDamaged
from isthmus_migration.journal.workdir import write_whole

Command = Literal["run", "pause", "stop"]


@frozen
class Rates:
    """How fast a whole run may be; ``None`` is unbounded.

    :param items: items a second
    :param size: bytes of items a second
    :param read_units: DynamoDB read units a second
    :param write_units: DynamoDB write units a second
    :raises InvalidArgument: one is not positive
    """

    items: float | None = None
    size: float | None = None
    read_units: float | None = None
    write_units: float | None = None

    def __attrs_post_init__(self) -> None:
        for name, rate in asdict(self).items():
            if rate is not None and not (isinstance(rate, (int, float)) and 0 < rate < float("inf")):
                raise InvalidArgument(f"the rate of {name} is {rate!r}: give a positive number, or none at all")


@frozen
class Control:
    """What a run was told to do."""

    command: Command = "run"
    rates: Rates | None = None

    def to_dict(self) -> dict[str, Any]:
        """The control as JSON-ready data."""
        return {"command": self.command, "rates": None if self.rates is None else asdict(self.rates)}


class ControlFile:
    """``control.json`` of a work directory."""

    def __init__(self, workdir: Path) -> None:
        self._path = workdir / "control.json"
        self._stamp: tuple[int, int] | None = None
        self._control = Control()

    def read(self) -> Control:
        """What was said last; looks at the file only where it has changed.

        :raises WorkDirectoryDamaged: it was edited by hand and is not valid any more
        """
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return self._control
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp != self._stamp:
            self._control, self._stamp = self._parsed(), stamp
        return self._control

    def _parsed(self) -> Control:
        try:
            data: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
            if data["command"] not in ("run", "pause", "stop"):
                raise ValueError
            rates = data.get("rates")
            return Control(data["command"], None if rates is None else Rates(**rates))
        except (OSError, ValueError, KeyError, TypeError, InvalidArgument) as error:
            raise WorkDirectoryDamaged(f"{self._path} is damaged: remove it") from error

    def say(self, command: Command | None = None, rates: Rates | None = None) -> Control:
        """Tell the run something; what is not given stays as it was said before.

        :raises WorkDirectoryDamaged: the file can't be written
        """
        now = self.read()
        told = evolve(now, command=command or now.command, rates=rates or now.rates)
        try:
            write_whole(self._path, json.dumps(told.to_dict()))
        except OSError as error:
            raise WorkDirectoryDamaged(
                f"{self._path} can't be written ({error.strerror}): make room, and the work directory writable"
            ) from error
        return told
