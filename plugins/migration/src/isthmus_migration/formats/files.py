"""Files of an export: durable replacement, checksums, and names that can't lead out of the folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import md5, sha256
from pathlib import Path, PurePosixPath
from typing import Any, Final

from isthmus.errors import ConfigurationError, Unavailable
from isthmus_migration.errors import ExportDamaged

_BLOCK: Final = 1 << 20
_UNFINISHED: Final = ".tmp"


def write_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file whole or not at all, and durably: a reader finds the former content or the new one.

    Two writers may write the same file at the same time, on machines of their own too.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write into, which takes its place durably when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}{_UNFINISHED}")
    try:
        yield temporary
        _sync(temporary, os.O_RDWR)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name != "nt":  # its folders can't be opened
        _sync(path.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def reachable(folder: str) -> Iterator[None]:
    """Tell what a disk is in the way of as what it is: a full one, one that is gone, a folder without rights.

    :raises Unavailable: a file can't be read or written now
    """
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"the export in {folder} can't be read or written now ({error.strerror or type(error).__name__}): see to "
            "its disk and its rights, and go on"
        ) from error


def check_makeable(folder: Path) -> None:
    """Refuse a folder that could not be made when something is to be written into it; nothing is made.

    :raises ConfigurationError: it is a link to nothing, below a file, or where nobody may write
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists() or path.is_symlink())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigurationError(f"the folder {folder} can't be made, because of {there}: name one that can be written")


def sha256_of(path: Path) -> str:
    """The checksum of a file, 64 hexadecimal digits."""
    return _digest_of(path, sha256()).hexdigest()  # type: ignore[no-any-return]  # a hash object's


def md5_of(path: Path) -> bytes:
    """The checksum that AWS keeps of files; it finds damage, and protects against nobody."""
    return _digest_of(path, md5(usedforsecurity=False)).digest()  # type: ignore[no-any-return]  # as above


def _digest_of(path: Path, digest: Any) -> Any:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest


def below(folder: Path, relative: str) -> Path:
    """The path of a name that stands in a manifest; there needn't be anything.

    :raises ExportDamaged: the name leads out of the folder, by itself or through a link
    """
    name = PurePosixPath(relative)
    if not name.parts or name.is_absolute() or ".." in name.parts or "\\" in relative or "\0" in relative:
        raise _outside(relative)
    path = folder / name
    try:
        real = path.resolve()
    except (RuntimeError, OSError):  # a link to itself
        raise _outside(relative) from None
    # From Python 3.13 on, such a link is what it leads to.
    if real.is_symlink() or not real.is_relative_to(folder.resolve()):
        raise _outside(relative)
    return path


def inside(folder: Path, relative: str) -> Path:
    """The file of a name that stands in a manifest.

    :raises ExportDamaged: as :func:`below`, and where there is no such file
    """
    path = below(folder, relative)
    if not path.exists():
        raise ExportDamaged(f"the export lacks its file {relative!r}: copy the export again, or export anew")
    if not path.is_file():
        raise _outside(relative)
    return path


def remove_leftovers(folder: Path) -> None:
    """Remove what writers left that were killed."""
    for path in folder.rglob(f".*{_UNFINISHED}"):
        path.unlink(missing_ok=True)


def _outside(relative: str) -> ExportDamaged:
    return ExportDamaged(
        f"the manifest names {relative!r}, which is nothing inside of the export: don't trust this export, get another"
    )
