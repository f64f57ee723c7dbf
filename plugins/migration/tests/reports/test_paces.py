from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from isthmus_migration.coordination import reporting
from isthmus_migration.coordination.progress import Progress
from isthmus_migration.coordination.reporting import EventFile, last_figures, read_events
from isthmus_migration.coordination.thinning import thin
from isthmus_migration.reports.paces import Course
from isthmus_migration.reports.plots import rate_plot
from plugins.migration.tests.reports.helpers import migration


def phase(time: float, name: str = "copy") -> dict[str, Any]:
    """A phase begins."""
    return {"time": time, "event": "phase", "phase": name}


def progress(time: float, items: int, name: str = "copy") -> dict[str, Any]:
    """A report of progress."""
    return {"time": time, "event": "progress", "phase": name, "items": items}


def ended(time: float) -> dict[str, Any]:
    """A phase ends."""
    return {"time": time, "event": "ended"}


def test_a_rate_counts_the_time_at_work() -> None:
    """Two runs with a night between them: only the seconds at work and the items of them count."""
    course = Course.of([
        phase(0), progress(0, 0), progress(10, 1_000), ended(10),
        phase(50_000), progress(50_000, 1_000), progress(50_010, 3_000), ended(50_010),
    ])  # fmt: skip
    (pace,) = course.paces
    assert (pace.runs, pace.seconds, pace.items, pace.rate) == (2, 20, 3_000, 150)


def test_a_killed_run_ends_at_its_last_word() -> None:
    """Its end was never told; the time until somebody resumed is no time at work."""
    course = Course.of([phase(0), progress(0, 0), progress(4, 400), phase(9_000), progress(9_000, 400), ended(9_001)])
    assert (course.paces[0].seconds, course.paces[0].items) == (5, 400)


def test_phases_have_paces_of_their_own() -> None:
    """What one reads is not counted for the other."""
    course = Course.of([
        phase(0), progress(0, 0), progress(2, 10), ended(2),
        phase(3, "verify"), progress(3, 0, "verify"), progress(4, 99, "verify"), ended(4),
    ])  # fmt: skip
    assert [(one.phase, one.items) for one in course.paces] == [("copy", 10), ("verify", 99)]


def test_the_plot_has_a_bounded_number_of_points() -> None:
    """Days of events are averaged; the plot is a line with an axis."""
    course = Course.of([phase(0), *(progress(second, second * 7) for second in range(5_000))])
    assert 100 < len(course.points) <= 600
    assert rate_plot(course.points).count("L") > 100
    assert ">7/s</text>" in rate_plot(course.points)


def test_nights_between_runs_are_no_part_of_the_plot() -> None:
    """The second run's line begins where the first one's ends, and is not joined to it."""
    course = Course.of([
        phase(0), progress(0, 0), progress(1, 5), progress(2, 9), ended(2),
        phase(50_000), progress(50_000, 9), progress(50_001, 20), progress(50_002, 30), ended(50_002),
    ])  # fmt: skip
    points = [(point.time, point.rate, point.joined) for point in course.points]
    assert points == [(1, 5, False), (2, 4, True), (3, 11, False), (4, 10, True)]


def test_there_is_no_plot_of_nothing() -> None:
    """One point is no line."""
    assert rate_plot(Course.of([phase(0), progress(0, 0), ended(1)]).points) == ""


def test_events_survive_a_cut_off_line(tmp_path: Path) -> None:
    """A process that was killed in the middle of a line: readers skip it, and the next line is whole."""
    (tmp_path / "events.jsonl").write_text('{"time": 1, "event": "phase"}\n{"time": 2, "ev')
    with EventFile(tmp_path) as file:
        file.tell("ended", {})
    assert [event["event"] for event in read_events(tmp_path)] == ["phase", "ended"]


def test_the_file_of_events_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a run is: old reports go, and what they come to stays; so do other events while there is room."""
    monkeypatch.setattr(reporting, "MOST_BYTES", 20_000)
    path = reporting.events_path(tmp_path)
    sizes = list[int]()
    with EventFile(tmp_path) as file:
        file.tell("", phase(0))
        for number in range(3_000):
            file.tell("", progress(number, number * 10))
            sizes.append(path.stat().st_size)
        file.tell("", ended(2_999))
    assert max(sizes) < 20_200
    course = Course.of(read_events(tmp_path))
    assert [(pace.runs, pace.seconds, pace.items) for pace in course.paces] == [(1, 2_999, 29_990)]
    assert {round(point.rate) for point in course.points} == {10}


def test_other_events_make_room_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest first."""
    monkeypatch.setattr(reporting, "MOST_BYTES", 5_000)
    with EventFile(tmp_path) as file:
        for number in range(1_000):
            file.tell("dead", {"count": number})
    assert reporting.events_path(tmp_path).stat().st_size < 5_200
    left = [event["count"] for event in read_events(tmp_path)]
    assert len(left) > 50
    assert left == list(range(1_000 - len(left), 1_000))


def test_a_disk_without_room_keeps_nothing_of_a_smaller_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written of it would take the room that the journal needs; the file of events is as it was."""
    path = reporting.events_path(tmp_path)
    path.write_bytes(b'{"time": 1, "event": "phase"}\n' * 3)

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:10])
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        thin(path, 60)
    assert [(file.name, file.stat().st_size) for file in tmp_path.iterdir()] == [(path.name, 90)]


def test_events_that_cannot_be_written_hurt_nobody(tmp_path: Path) -> None:
    """The journal is what counts."""
    with EventFile(tmp_path / "nowhere") as file:
        file.tell("ended", {})
    assert (list(read_events(tmp_path / "nowhere")), last_figures(tmp_path / "nowhere")) == ([], None)


def _slice(unit: str, read: int, *, finished: bool = False, throttled: int = 0) -> dict[str, Any]:
    return {"unit": unit, "read": read, "written": read, "size": read * 10, "dead": 0, "throttled": throttled,
            "finished": finished}  # fmt: skip


@pytest.fixture
def course(tmp_path: Path) -> Progress:
    """The progress of a copy of one item in one unit, by the estimate."""
    planned = migration(tmp_path)
    with planned.work.journal(writable=False) as journal:
        return Progress.of(journal, planned.the_plan, "copy", workers=2)


def test_it_is_never_done_before_its_end(course: Progress) -> None:
    """Far more items than were estimated: the share stays below the whole until the unit is finished."""
    course.slice_done(_slice("things-00000", 5_000))
    assert course.figures().percent < 100
    course.slice_done(_slice("things-00000", 0, finished=True))
    assert course.figures().percent == 100


def test_the_rate_is_that_of_the_last_minute(course: Progress) -> None:
    """What was fast an hour ago says nothing about now."""
    begun = course._window[0][0]
    course.slice_done(_slice("things-00000", 36_000), begun + 1)
    for second in range(3_600, 3_700):
        course.slice_done(_slice("things-00000", 5), begun + second)
    figures = course.figures(begun + 3_699)
    assert figures.rate == pytest.approx(5, rel=0.1)
    assert figures.size_rate == pytest.approx(50, rel=0.1)


def test_the_throttled_share(course: Progress) -> None:
    """Of all that was sent, those that were turned away."""
    course.slice_done(_slice("things-00000", 75, throttled=25))
    assert course.figures().throttled == 0.25
