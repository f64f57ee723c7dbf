"""Where in the code an error that is not ours began; it is told where nobody sees a traceback, without any values."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Final

_NOTE: Final = "began at "


def note_origin(error: BaseException) -> None:
    """Note at the error itself where it began, as its traceback stays in this process."""
    error.add_note(_NOTE + origin_of(error))


def origin_of(error: BaseException) -> str:
    """File and line where an error began, as ``slices/copying.py:70``; empty where nobody knows."""
    for note in getattr(error, "__notes__", ()):
        if note.startswith(_NOTE):
            return str(note.removeprefix(_NOTE))
    frames = traceback.extract_tb(error.__traceback__)
    return f"{'/'.join(PurePath(frames[-1].filename).parts[-2:])}:{frames[-1].lineno}" if frames else ""
