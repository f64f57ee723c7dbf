"""``isthmus demo --to``: the same steps on further databases, and copies through all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import isthmus
from core.tests.cli.conftest import Databases, Ran, Run
from isthmus import copying
from isthmus.cli.demo.cities import CITIES
from isthmus.cli.demo.steps import STEPS
from isthmus.errors import BackendError
from isthmus.memory import MemoryBackend

ENGINE = """
from contextlib import contextmanager

@contextmanager
def start():
    yield "memory://started"
    print("stopped")

@contextmanager
def fail():
    raise RuntimeError("no java")
    yield ""
"""
MONGODB_URL = "mongodb://localhost:27017/test?replicaSet=rs0"


def run_demo(command: Run, folder: Path, *targets: str, as_json: bool = True) -> Ran:
    """Run the demo with a few cities."""
    to = [word for target in targets for word in ("--to", target)]
    return command("demo", "--file", str(folder / "a.db"), "--cities", "60", *to, *(["--json"] if as_json else []))


def digest_of(file: Path) -> str:
    """The digest of the cities in an SQLite file."""
    with isthmus.connect(f"sqlite:///{file}") as database:
        return copying.digest_table(database.table(CITIES)).digest


def failure(ended: Ran) -> Any:
    """The error that a command printed."""
    return json.loads(ended.err)["error"]


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with an engine that starts, and one that does not."""
    site = tmp_path / "site"
    metadata = site / "made_up_engines-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "made_up_engines.py").write_text(ENGINE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up-engines\nVersion: 1.0\n")
    points = "[isthmus.engines]\nsolid = made_up_engines:start\nshaky = made_up_engines:fail\n"
    (metadata / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(site))


def test_each_target_runs_every_step_but_the_copy(command: Run, tmp_path: Path) -> None:
    """Two of one kind are told apart by a number."""
    shown = json.loads(run_demo(command, tmp_path, "memory://a", "memory://b").out)
    titles = [step.title for step in STEPS]
    assert [step["step"] for step in shown["steps"]] == titles
    targets = [(one["target"], [step["step"] for step in one["steps"]]) for one in shown["targets"]]
    assert targets == [("memory 1", titles[:-1]), ("memory 2", titles[:-1])]


def test_the_cities_are_copied_through_all_targets_and_back(command: Run, tmp_path: Path) -> None:
    """One copy from each to the next; the file that comes back holds what the embedded default holds."""
    file = f"sqlite:///{tmp_path}/target.db"
    shown = json.loads(run_demo(command, tmp_path, "memory://a", file).out)
    assert [(one["step"], one["count"]) for one in shown["copies"]] == [
        ("memory -> sqlite", 60),
        ("sqlite -> sqlite", 60),
    ]
    digests = [digest_of(Path(shown[name])) for name in ("file", "copy", "back")]
    assert digests == [shown["digest"]] * 3


def test_the_targets_are_left_as_they_were(command: Run, tmp_path: Path, databases: Databases) -> None:
    """What the demo made is removed; another table stays."""
    isthmus.connect("memory://a").table("mine", partition_key="id").ensure().put({"id": "1"})
    ended = run_demo(command, tmp_path, "memory://a", "memory://b")
    tables = {url: isthmus.connect(url).tables.list() for url in databases}
    assert (ended.code, tables) == (0, {"memory://a": ["mine"], "memory://b": []})


def test_a_target_that_fails_is_cleared_too(
    command: Run, tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of the step is the one that is shown."""
    databases["memory://a"] = backend = MemoryBackend()
    original = backend.execute

    def refuse_transactions(operation: Any) -> Any:
        if type(operation).__name__ == "TransactWrite":
            raise BackendError("the lights went out")
        return original(operation)

    monkeypatch.setattr(backend, "execute", refuse_transactions)
    ended = run_demo(command, tmp_path, "memory://a")
    assert (ended.code, "the lights went out" in failure(ended)["message"]) == (4, True)
    assert isthmus.connect("memory://a").tables.list() == []


def test_a_table_of_the_same_name_is_refused(command: Run, tmp_path: Path) -> None:
    """It keeps its items, and no file is made."""
    isthmus.connect("memory://b").table(CITIES).ensure().put({"country": "FR", "id": 1, "name": "Paris"})
    ended = run_demo(command, tmp_path, "memory://a", "memory://b")
    assert (ended.code, failure(ended)["code"], list(tmp_path.iterdir())) == (1, "already_exists", [])
    assert failure(ended)["message"].startswith("memory 2 has a table 'cities', which the demo does not touch")
    assert [city["name"] for city in isthmus.connect("memory://b").table(CITIES).scan()] == ["Paris"]


def test_the_file_that_comes_back_is_never_overwritten(command: Run, tmp_path: Path) -> None:
    """It is looked at before anything starts."""
    (tmp_path / "a-back.db").write_text("mine")
    ended = run_demo(command, tmp_path, "memory://a")
    assert (failure(ended)["code"], [path.name for path in tmp_path.iterdir()]) == ("already_exists", ["a-back.db"])


@pytest.mark.usefixtures("engines")
def test_a_bare_name_starts_an_engine(command: Run, tmp_path: Path) -> None:
    """It runs for the length of the demo."""
    ended = run_demo(command, tmp_path, "solid", as_json=False)
    assert (ended.code, ended.out.splitlines()[0]) == (0, "stopped")
    assert "solid -> sqlite" in ended.out


@pytest.mark.usefixtures("engines")
def test_an_engine_that_does_not_start_says_why(command: Run, tmp_path: Path) -> None:
    """With its own words, and what to do instead."""
    error = failure(run_demo(command, tmp_path, "shaky"))
    expected = "the engine shaky does not start: no java; or start a server yourself and give its URL"
    assert (error["code"], error["message"]) == ("configuration_error", expected)


@pytest.mark.usefixtures("engines")
def test_an_unknown_engine_is_refused_with_the_known_ones(command: Run, tmp_path: Path) -> None:
    """Nothing is started or made."""
    error = failure(run_demo(command, tmp_path / "nowhere", "solid", "oracle"))
    assert error["message"].startswith("--to oracle names no engine that an installed package starts (these are: ")
    assert "shaky, solid): start a server and give its URL, such as oracle://..." in error["message"]


def test_a_known_engine_that_is_not_installed_shows_its_url(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain installation has no engines: a server of the user's own does as well."""
    monkeypatch.setattr("isthmus.cli.demo.targets.ENGINES", "isthmus.no-engines")
    error = failure(run_demo(command, tmp_path, "mongodb"))
    assert error["message"] == (
        "--to mongodb names no engine that an installed package starts: "
        f"start a server and give its URL, such as {MONGODB_URL}"
    )


def test_the_report_names_each_database(command: Run, tmp_path: Path) -> None:
    """A password in a URL is nowhere in it."""
    ended = run_demo(command, tmp_path, "memory://user:hunter2@a", as_json=False)
    lines = [line.strip() for line in ended.out.splitlines()]
    assert [line for line in lines if line in ("sqlite", "memory", "copies")] == ["sqlite", "memory", "copies"]
    assert ("All three files hold the same 60 cities. Look at them:" in lines, "hunter2" in ended.out) == (True, False)
