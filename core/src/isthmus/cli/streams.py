"""The standard streams as any shell may give them: closed, full, or of an encoding that lacks characters."""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_ESCAPES: Final = "isthmus-escapes"


def prepare_streams() -> None:
    r"""Replace closed streams by ones that lead nowhere, and let standard output take any character.

    What its encoding lacks is written as ``\uXXXX``, which is right in JSON too. Files that are opened later can't get
    the number of a closed stream, and so never what is printed.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # open until the end
    codecs.register_error(_ESCAPES, _escaped)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_ESCAPES)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{lacking[at : at + 2].hex()}" for at in range(0, len(lacking), 2)), error.end


def forget_output() -> None:
    """Let standard output lead nowhere: Python flushes it once more when it exits, and that must not fail again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
