from __future__ import annotations

import json
from pathlib import Path

import pytest

import isthmus
from isthmus.cli.exit_codes import ExitCode
from isthmus_migration.migration import Migration
from plugins.migration.tests.cli.helpers import THINGS, Ends, Run
from plugins.migration.tests.plans import functions
from plugins.migration.tests.rollback.test_hindered import damage

INLINE = ("--engine", "inline")


def _refuse_some(ends: Ends, count: int) -> None:
    """Give the target's table another meaning for some of the things that the source has: they are in the way."""
    with isthmus.connect(ends.target) as database:
        database.tables.ensure(THINGS).put_many({"id": f"{number:05}", "size": -1} for number in range(count))


def test_a_plan_says_what_is_moved(ends: Ends, command: Run) -> None:
    """Its JSON has the tables with numbers, and it writes nothing into the target."""
    made = command("migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "--json")
    (table,) = made.result["tables"]
    assert (made.code, table["table"], table["items"], table["created"]) == (ExitCode.OK, "things", 60, True)
    with isthmus.connect(ends.target) as database:
        assert database.tables.list() == []


def test_a_finding_names_its_path_once(ends: Ends, command: Run, tmp_path: Path) -> None:
    """Transforms say it in their reason already."""
    (tmp_path / "mapping.toml").write_text('[tables.things.types]\nsize = "date"\n')
    ends.change(lambda things: things.put({"id": "x", "size": "never"}), source=True)
    made = command(
        "migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "-c", str(tmp_path / "mapping.toml")
    )
    (line,) = [line for line in made.out.splitlines() if line.startswith('error: things {"id":"x"}')]
    assert (made.code, line.count("size")) == (ExitCode.DEAD_LETTERS, 1)


def test_a_dry_run_shows_what_becomes_of_items(ends: Ends, command: Run, tmp_path: Path) -> None:
    """It shows changes, and leaves neither a work directory nor a target behind."""
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[tables.things.rename]\nsize = "length"\n')
    shown = command("migrate", "plan", ends.source, ends.target, "-c", str(mapping), "--sample", "2", "--json")
    assert [line["changes"][0]["former"] for line in shown.events] == ["size", "size"]
    assert sorted(path.name for path in tmp_path.iterdir() if "source" not in path.name) == ["mapping.toml"]


def test_a_dry_run_survives_an_item_that_ends_its_process(ends: Ends, command: Run, tmp_path: Path) -> None:
    """It is shown like any other that is refused; what can't be read is counted."""
    damage(ends.source, "00001")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(f'[tables.things]\nrename = {{ size = "n" }}\nfunction = "{functions.__name__}:deadly"\n')
    shown = command("migrate", "plan", ends.source, ends.target, "-c", str(mapping), "--sample", "4", "--json")
    outcomes = {json.loads(line["key"])["id"]: line["error"] and line["error"]["code"] for line in shown.events}
    assert outcomes == {"00000": None, "00002": None, "00003": "worker_died", "00004": None}
    assert "1 items of table 'things' can't be read" in shown.err


def test_a_run_copies_everything(planned: Ends, command: Run) -> None:
    """The exit code is 0; the words name the command that comes next."""
    done = command("migrate", "run", planned.workdir, *INLINE)
    assert (done.code, planned.things()) == (ExitCode.OK, 60)
    assert f"isthmus migrate verify {planned.workdir}" in done.out


def test_a_run_tells_events_as_json(planned: Ends, command: Run) -> None:
    """Each line of standard output is an event with its time; slices are summed up; the last one is the result."""
    done = command("migrate", "run", planned.workdir, *INLINE, "--json")
    codes = [event["event"] for event in done.events]
    assert [code for code in codes if code != "progress"] == [
        "table_created", "state", "phase", "ended", "state", "result",
    ]  # fmt: skip
    assert all(event["time"] > 0 for event in done.events)
    last = [event for event in done.events if event["event"] == "progress"][-1]
    assert (last["percent"], last["items"], last["units_done"]) == (100.0, 60, last["units"])
    assert (done.result["exit_code"], done.result["state"]) == (0, "copied")


def test_events_stay_in_the_work_directory(copied: Ends) -> None:
    """``events.jsonl`` has the same events, for programs that look later."""
    lines = Path(copied.workdir, "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines][-2:] == ["ended", "state"]


def test_dead_letters_have_an_exit_code(ends: Ends, command: Run) -> None:
    """Items that are in the way of a plan that says so become dead letters; the run ends with 8."""
    _refuse_some(ends, 3)
    command("migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "--into-existing", "fail")
    done = command("migrate", "run", ends.workdir, *INLINE, "--json")
    dead = [event for event in done.events if event["event"] == "dead"]
    assert (done.code, done.result["found"]["dead"]) == (ExitCode.DEAD_LETTERS, 3)
    assert sum(event["count"] for event in dead) == 3


def test_too_many_dead_letters_pause_a_run(ends: Ends, command: Run) -> None:
    """The exit code is 9, and resuming with a higher limit goes on."""
    _refuse_some(ends, 20)
    command("migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "--into-existing", "fail")
    paused = command("migrate", "run", ends.workdir, *INLINE, "--max-dead", "5")
    resumed = command("migrate", "resume", ends.workdir, *INLINE)
    assert (paused.code, resumed.code) == (ExitCode.PAUSED, ExitCode.DEAD_LETTERS)
    assert "more dead letters than were allowed" in paused.out


def test_dead_letters_are_listed_shown_and_acknowledged(ends: Ends, command: Run) -> None:
    """A list has keys and reasons and no values; one letter has its item; acknowledged ones are not open any more."""
    _refuse_some(ends, 2)
    command("migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "--into-existing", "fail")
    command("migrate", "run", ends.workdir, *INLINE)
    listed = command("migrate", "dead", "list", ends.workdir, "--json")
    assert [line["key"] for line in listed.events] == ['{"id":"00000"}', '{"id":"00001"}']
    assert "size" not in listed.out
    number = str(listed.events[0]["id"])
    shown = command("migrate", "dead", "show", ends.workdir, number, "--json")
    assert json.loads(shown.result["original"]) == {"id": "00000", "size": 0}
    assert command("migrate", "dead", "acknowledge", ends.workdir, number, "--json").result == {"acknowledged": 1}
    assert len(command("migrate", "dead", "list", ends.workdir, "--json").events) == 1


def test_dead_letters_are_replayed(ends: Ends, command: Run) -> None:
    """Once what was in the way is gone, the items arrive; the exit code tells whether some are still open."""
    _refuse_some(ends, 2)
    command("migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "--into-existing", "fail")
    command("migrate", "run", ends.workdir, *INLINE)
    ends.change(lambda things: things.delete(id="00000"))
    one = command("migrate", "dead", "replay", ends.workdir, "--all", "--json")
    assert (one.code, one.result["replayed"], one.result["failed"]) == (ExitCode.DEAD_LETTERS, 1, 1)


@pytest.mark.parametrize("which", [(), ("1", "--all")])
def test_dead_letters_are_named_or_all_of_them(copied: Ends, command: Run, which: tuple[str, ...]) -> None:
    """Neither or both is wrong use: nobody should replay everything by leaving something out."""
    assert command("migrate", "dead", "acknowledge", copied.workdir, *which).code == ExitCode.USAGE


def test_verification_repair_and_verification(copied: Ends, command: Run) -> None:
    """What differs is named and the code is 1; a repair mends it, extras only when asked to."""

    def spoil(things: isthmus.BoundTable) -> None:
        things.delete(id="00005")
        things.put({"id": "00007", "size": -1})
        things.put({"id": "other"})

    copied.change(spoil)
    found = command("migrate", "verify", copied.workdir, *INLINE)
    assert found.code == ExitCode.NO
    for line in ('missing things {"id":"00005"}', 'changed things {"id":"00007"}', 'extra things {"id":"other"}'):
        assert line in found.out
    assert command("migrate", "repair", copied.workdir, *INLINE).code == ExitCode.NO
    assert command("migrate", "repair", copied.workdir, *INLINE, "--delete-extra").code == ExitCode.OK
    assert command("migrate", "verify", copied.workdir, *INLINE, "--level", "full").code == ExitCode.OK


def test_any_two_places_are_verified(copied: Ends, command: Run) -> None:
    """No work directory is needed; the result as JSON has the digests of both."""
    equal = command("verify", copied.source, copied.target, *INLINE, "--json")
    (table,) = equal.result["tables"]
    assert (equal.code, table["source_digest"]) == (ExitCode.OK, table["target_digest"])
    copied.change(lambda things: things.delete(id="00005"))
    assert command("verify", copied.source, copied.target, *INLINE).code == ExitCode.NO


def test_what_could_not_be_compared_has_its_exit_code(copied: Ends, command: Run) -> None:
    """Nothing differs, and yet not all of the source was looked at."""
    damage(copied.source, "00005")
    copied.change(lambda things: things.delete(id="00005"))
    assert command("verify", copied.source, copied.target, *INLINE).code == ExitCode.DEAD_LETTERS


def test_a_count_that_differs_says_which_level_names_items(copied: Ends, command: Run) -> None:
    """Numbers alone help nobody."""
    copied.change(lambda things: things.delete(id="00005"))
    found = command("verify", copied.source, copied.target, *INLINE, "--level", "count")
    assert (found.code, "things: 60 items are expected and 59 are there: --level digest" in found.out) == (1, True)


def test_a_rollback_says_why_a_table_is_left(copied: Ends, command: Run) -> None:
    """Others have written into it: what to do is said, and force does what was asked for first."""
    copied.change(lambda things: things.put({"id": "other"}))
    left = command("migrate", "rollback", copied.workdir, *INLINE, "--yes")
    assert (left.code, "things: kept, as others have written into it" in left.out) == (ExitCode.NO, True)


def test_a_rollback_asks_first(copied: Ends, command: Run) -> None:
    """Without a terminal and without --yes nothing is done; a dry run says what would be."""
    asked, dry = (
        command("migrate", "rollback", copied.workdir),
        command("migrate", "rollback", copied.workdir, "--dry-run"),
    )
    assert (asked.code, dry.code, copied.things()) == (ExitCode.USAGE, ExitCode.OK, 60)
    assert "dropped" in dry.out


def test_a_rollback_has_an_exit_code(copied: Ends, command: Run) -> None:
    """It is 10, and the target is as it was."""
    done = command("migrate", "rollback", copied.workdir, "--yes", *INLINE, "--json")
    assert (done.code, done.result["clean"]) == (ExitCode.ROLLED_BACK, True)
    with isthmus.connect(copied.target) as database:
        assert database.tables.list() == []


def test_a_rollback_that_leaves_conflicts_says_no(copied: Ends, command: Run) -> None:
    """Somebody wrote into a table of ours: it stays, the code is 1, and the key is named."""
    copied.change(lambda things: things.put({"id": "other"}))
    done = command("migrate", "rollback", copied.workdir, "--yes", *INLINE)
    assert done.code == ExitCode.NO
    assert 'conflict things {"id":"other"}' in done.out


def test_a_rollback_is_guarded_if_asked(ends: Ends, command: Run) -> None:
    """All of its units are."""
    _refuse_some(ends, 3)
    command("migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "--into-existing", "upsert")
    assert command("migrate", "run", ends.workdir, *INLINE).code == ExitCode.OK
    done = command("migrate", "rollback", ends.workdir, "--yes", "--guarded", *INLINE)
    assert (done.code, ends.things()) == (ExitCode.ROLLED_BACK, 3)
    with Migration.open(ends.workdir).work.journal(writable=False) as journal:
        specs = [json.loads(state.unit.spec) for state in journal.units("rollback")]
    assert {spec["guarded"] for spec in specs} == {True}


@pytest.mark.parametrize("form", ["jsonl", "dynamodb"])
def test_an_export_is_imported_again(ends: Ends, command: Run, form: str) -> None:
    """Both are migrations without a work directory to look after; what comes back is equal."""
    folder = str(ends.folder / "dump")
    out = command("export", ends.source, folder, "--format", form, *INLINE)
    back = command("import", folder, ends.target, *INLINE)
    assert (out.code, back.code) == (ExitCode.OK, ExitCode.OK)
    assert command("verify", ends.source, ends.target, *INLINE).code == ExitCode.OK


def test_parquet_says_that_it_loses_something(ends: Ends, command: Run) -> None:
    """An attribute of several types has no column: it is refused, unless it may be lost, which the manifest says."""
    pytest.importorskip("pyarrow")
    ends.change(lambda things: things.put({"id": "00000", "size": "large"}), source=True)
    export = ("export", ends.source, str(ends.folder / "dump"), "--format", "parquet", *INLINE)
    assert command(*export).code not in (ExitCode.OK, ExitCode.DEAD_LETTERS)
    lossy = ("export", ends.source, str(ends.folder / "lossy"), "--format", "parquet", "--lossy", *INLINE)
    done = command(*lossy)
    assert (done.code, "verify" in done.out) == (ExitCode.OK, False)
    assert "size" in json.dumps(json.loads((ends.folder / "lossy" / "manifest.json").read_text()))


def test_an_export_names_how_it_is_verified(ends: Ends, command: Run) -> None:
    """Its own work directory is gone by then."""
    folder = ends.folder / "dump"
    assert f"isthmus verify {ends.source} file:{folder}" in command("export", ends.source, str(folder), *INLINE).out


def test_an_import_that_leaves_something_keeps_its_work_directory(ends: Ends, command: Run) -> None:
    """Dead letters have to be looked at: the temporary work directory stays and is named."""
    folder = str(ends.folder / "dump")
    command("export", ends.source, folder, *INLINE)
    _refuse_some(ends, 1)
    done = command("import", folder, ends.target, "--into-existing", "fail", *INLINE)
    workdir = done.err.rpartition(": ")[2].strip()
    assert done.code == ExitCode.DEAD_LETTERS
    assert len(command("migrate", "dead", "list", workdir, "--json").events) == 1


def test_into_existing_replaces(ends: Ends, command: Run) -> None:
    """``upsert`` writes over what is there."""
    _refuse_some(ends, 2)
    command("migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "--into-existing", "upsert")
    assert command("migrate", "run", ends.workdir, *INLINE).code == ExitCode.OK
    assert command("verify", ends.source, ends.target, *INLINE).code == ExitCode.OK
