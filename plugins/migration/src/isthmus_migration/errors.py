"""Errors of migrations, in the tree of Isthmus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from isthmus.errors import IsthmusError


class MigrationError(IsthmusError):
    """Base of the errors that only migrations have."""

    code: ClassVar[str] = "migration"


class PlanRefused(MigrationError):
    """The plan can't be carried out; ``problems`` has a sentence for each reason."""

    code: ClassVar[str] = "plan_refused"

    def __init__(self, message: str, *, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class PlanChanged(MigrationError):
    """The work directory was begun with another plan, or with other code for its transforms."""

    code: ClassVar[str] = "plan_changed"

    def __init__(self, message: str, *, differences: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.differences = tuple(differences)


class WorkDirectoryInUse(MigrationError):
    """Another coordinator works in the directory."""

    code: ClassVar[str] = "work_directory_in_use"


class WorkDirectoryDamaged(MigrationError):
    """The work directory is none, is of another version, or lacks something."""

    code: ClassVar[str] = "work_directory_damaged"


class ImagesUnwritable(MigrationError):
    """What an item would replace can't be kept on disk, so nothing was replaced."""

    code: ClassVar[str] = "images_unwritable"


class ExportDamaged(MigrationError):
    """An export lacks a file, or one of them is not what its manifest says."""

    code: ClassVar[str] = "export_damaged"


class ExportUnsupported(MigrationError):
    """An export, or a table in it, is of a kind that can't be read or written without loss."""

    code: ClassVar[str] = "export_unsupported"


class WrongState(MigrationError):
    """What was asked for is not possible at this point of a migration."""

    code: ClassVar[str] = "wrong_state"
