"""Keeping the file of events small: of old reports of progress every other one goes, whenever it has grown too large.

So it tells of runs of weeks as well, the more coarsely the longer they are ago. The first and the last report between
two other events stay: how long a phase took, and how much it did, is told by them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

_PROGRESS: Final = re.compile(rb'\{"time": [^,]*, "event": "progress"')


def thin(path: Path, most: int) -> None:
    """Leave out reports of progress, and the oldest of all events if there are too many others.

    :param most: bytes that the file shall have afterwards, at most
    :raises OSError: it can't be written, and is as it was
    """
    lines = list(_thinned(path.read_bytes().splitlines(keepends=True)))
    size, begin = sum(map(len, lines)), 0
    while size > most:
        size, begin = size - len(lines[begin]), begin + 1
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(b"".join(lines[begin:]))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _thinned(lines: Sequence[bytes]) -> Iterator[bytes]:
    for is_progress, group in groupby(lines, key=lambda line: _PROGRESS.match(line) is not None):
        run = list(group)
        if is_progress and len(run) > 2:
            yield from (*run[:-1:2], run[-1])
        else:
            yield from run
