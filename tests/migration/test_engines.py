"""Engines refuse what can't work, and tell whose fault an end was."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import Future
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest

from isthmus.errors import ConfigurationError, InvalidArgument
from isthmus_migration.coordination.care import GIVE_UP_AFTER, SUSPECT_AFTER, Care
from isthmus_migration.engines.choosing import engine_for
from isthmus_migration.engines.dask import DaskEngine
from isthmus_migration.engines.failures import EngineLost, WorkersFail
from isthmus_migration.engines.members import portable
from isthmus_migration.engines.probing import Needs, Sight, check_sights, look, needs_of
from isthmus_migration.engines.processes import ProcessEngine
from isthmus_migration.migration import Migration
from isthmus_migration.slices.worker import Setup
from isthmus_migration.tasks import SliceTask, Unit
from tests.migration.conftest import Planned
from tests.migration.runs import PATIENCE, ROOT, fill, things

OWN = look(Needs())


def test_secrets_are_not_sent_to_a_cluster(tmp_path: Path, dynamodb_url: str) -> None:
    """A plan whose URL held a secret is refused before anything is connected to, with what to do."""
    fill(f"sqlite:///{tmp_path / 'source.db'}", things(3))
    target = dynamodb_url.replace("access_key_id=local", "access_key_id=never")
    migration = Migration.plan(f"sqlite:///{tmp_path / 'source.db'}", target, workdir=tmp_path / "work")
    with pytest.raises(ConfigurationError, match="env:NAME"):
        migration.run(engine="dask://127.0.0.1:1")
    assert migration.status().state == "planned"


def test_a_cluster_that_does_not_answer_is_named(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is in the message, and what to start there; no event loop is left to go on for ever."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("isthmus_migration.engines.dask._CONNECTING", 0.5)
    before = set(threading.enumerate())
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:1: start its scheduler"):
        planned(3).migration.run(engine="dask://127.0.0.1:1")
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert not [name for name in left if "loop" in name or "dask" in name]


def test_a_cluster_without_an_event_loop_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has too many files open gets no loop: nobody waits for it for ever."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("asyncio.events.new_event_loop", _no_loop)
    ended = Future[None]()
    threading.Thread(target=_connected, args=(ended,), daemon=True).start()
    error = ended.exception(PATIENCE)
    assert isinstance(error, EngineLost)
    assert "Too many open files" in str(error.__cause__)


def _no_loop() -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _connected(ended: Future[None]) -> None:
    try:
        DaskEngine("127.0.0.1:1", None).rebuild()
    except BaseException as error:
        ended.set_exception(error)
    else:
        ended.set_result(None)


@pytest.mark.parametrize("name", ["spark", "dask://", "dask://host", "dask://:8786", "dask://host:port"])
def test_unknown_engines_are_refused(name: str) -> None:
    """A name that says no engine, or no address, is refused with those that there are."""
    with pytest.raises(InvalidArgument, match="dask://HOST:PORT"):
        engine_for(name)


@pytest.mark.parametrize(
    ("sight", "words"),
    [
        (Sight(OWN.host, "3.99", OWN.release), "Python 3.99"),
        (Sight(OWN.host, OWN.python, "9.9"), "isthmus-migration 9.9"),
        (Sight(OWN.host, OWN.python, OWN.release, missing=("TARGET",)), "TARGET is not set"),
        (Sight(OWN.host, OWN.python, OWN.release, unseen=("/shared/token",)), "does not see /shared/token"),
        (Sight("elsewhere", OWN.python, OWN.release), "is a file of this machine"),
        (ModuleNotFoundError("isthmus_migration"), "install it"),
    ],
)
def test_workers_that_lack_something_are_refused(sight: Sight | BaseException, words: str) -> None:
    """The message names the worker, what it lacks and what to do."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        check_sights({"tcp://worker:1": sight}, Needs(here=("/data/shop.db",)))
    assert "tcp://worker:1" in str(caught.value)


def test_workers_must_see_the_work_directory_only_for_pre_images(tmp_path: Path, planned: Planned) -> None:
    """A target that the migration creates needs no pre-images, and so no folder that all machines share."""
    created = planned(3)
    token = tmp_path / "token"
    assert needs_of(created.migration.the_plan, token).paths == ()
    fill(created.target, things(2))
    again = Migration.plan(created.source, created.target, workdir=tmp_path / "again", into_existing="upsert")
    assert needs_of(again.the_plan, token) == Needs(
        paths=(str(token),), here=(created.source.removeprefix("sqlite:///"),)
    )
    assert look(Needs(paths=(str(token),))).unseen == (str(token),)


def test_errors_that_can_not_travel_are_told_of() -> None:
    """An error of somebody else's, which can't be made again from its pickle, still says its name."""
    import pickle

    class Odd(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(str(one + two))

    assert "Odd" in str(pickle.loads(portable(Odd(1, 2))))


def test_a_script_without_main_guard_is_told_so(planned: Planned, tmp_path: Path) -> None:
    """Worker processes that end at once are not started for ever, and the reason is named."""
    run = planned(30)
    script = tmp_path / "script.py"
    program = "from isthmus_migration.migration import Migration", f"Migration.open({str(run.workdir)!r}).run()"
    script.write_text("\n".join(program))
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=ROOT)
    assert done.returncode != 0
    assert '`if __name__ == "__main__":`' in done.stderr


def test_a_worker_that_dies_while_it_starts_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with a plan so large that no pipe holds it: it is told that workers fail."""
    resource_tracker.ensure_running()
    monkeypatch.setattr("multiprocessing.spawn._python_exe", os.fsencode(shutil.which("false") or ""))
    engine = ProcessEngine(1)
    engine.start(Setup("x" * 1_000_000, "nowhere"))
    future = engine.submit(SliceTask("copy", Unit("unit", "table", ""), 1, 0, None))
    with pytest.raises(WorkersFail):
        future.result(PATIENCE)
    engine.close()


def test_care_finds_one_item_and_blames_no_other() -> None:
    """Deaths in company narrow nothing down to an item; deaths alone do, and what kills even then is blocked."""
    care = Care(full=100)
    care.died("unit", 100, SUSPECT_AFTER - 1, 1, alone=True)
    assert "unit" not in care
    care.died("unit", 100, SUSPECT_AFTER, 1, alone=True)
    assert care.course("unit") == ("narrow", 12)
    for _ in range(5):
        care.died("unit", 1, SUSPECT_AFTER, 1, alone=False)
    assert care.course("unit") == ("narrow", 1)
    for _ in range(GIVE_UP_AFTER):
        assert care.course("unit")[0] == "narrow"
        care.died("unit", 1, SUSPECT_AFTER, 1, alone=True)
    assert care.course("unit") == ("give_up", 1)
    for _ in range(GIVE_UP_AFTER):
        care.died("unit", 1, SUSPECT_AFTER, 1, alone=True)
    assert care.course("unit")[0] == "blocked"


def test_care_ends_when_slices_are_whole_again() -> None:
    """Slices grow with each success; at full size the unit is like any other."""
    care = Care(full=100)
    care.died("unit", 100, SUSPECT_AFTER, 1, alone=True)
    sizes: list[Any] = []
    while "unit" in care:
        sizes.append(care.course("unit")[1])
        care.settled("unit", finished=False)
    assert sizes == [12, 24, 48, 96]
