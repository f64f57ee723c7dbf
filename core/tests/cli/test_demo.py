from __future__ import annotations

import json
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from urllib.parse import quote

import pytest

import isthmus
from core.tests.cli.conftest import Run
from isthmus import copying
from isthmus.cli.demo.cities import CITIES, as_item, read_cities
from isthmus.cli.demo.steps import STEPS


def test_a_city_becomes_an_item() -> None:
    """Exact decimals, a nested map, and a set without empty names."""
    city = {
        "geonameid": 1, "name": "X", "latitude": 1.1, "longitude": -0.5, "countrycode": "FR", "population": 20_000,
        "timezone": "Europe/Paris", "admin1code": "1", "alternatenames": ["Y", "", "Y"],
    }  # fmt: skip
    location = {"latitude": Decimal("1.1"), "longitude": Decimal("-0.5"), "timezone": "Europe/Paris"}
    base = {"country": "FR", "id": 1, "name": "X", "population": 20_000, "location": location}
    assert {**base, "other_names": frozenset({"Y"})} == as_item(city)
    assert base == as_item({**city, "alternatenames": [""]})


def test_the_demo_runs_every_step_and_leaves_equal_files(command: Run, tmp_path: Path) -> None:
    """On a part of the data: both files can be opened afterwards, and hold the same items."""
    file, copy = tmp_path / "a b%3F.db", tmp_path / "b.db"
    ended = command("demo", "--file", str(file), "--copy", str(copy), "--cities", "300", "--json")
    assert (0, [step.title for step in STEPS]) == (ended.code, [one["step"] for one in json.loads(ended.out)["steps"]])
    with isthmus.connect(f"sqlite:///{quote(str(file))}") as source, isthmus.connect(f"sqlite:///{copy}") as target:
        (check,) = copying.verify(source, target)
    assert (check.equal, check.target.items, file.exists()) == (True, 300, True)


def populations_of_the_file_alone(file: Path) -> list[int]:
    """The populations in a copy of the main file, without what SQLite may have left beside it."""
    alone = file.with_name(f"alone-{file.name}")
    shutil.copy(file, alone)
    with isthmus.connect(f"sqlite:///{alone}") as database:
        return sorted(int(str(item["population"])) for item in database.tables.open("cities").scan())


def test_both_files_are_whole_without_their_logs(command: Run, tmp_path: Path) -> None:
    """All cities, and what the transaction did, are in the files that the report names."""
    files = [tmp_path / "a.db", tmp_path / "b.db"]
    ended = command("demo", "--file", str(files[0]), "--copy", str(files[1]), "--cities", "300", "--json")
    before = sorted(int(str(city["population"])) for city in read_cities(300))
    assert (ended.code, sorted(tmp_path.iterdir())) == (0, files)
    after, copied = map(populations_of_the_file_alone, files)
    assert (len(after), sum(after), after == copied, after == before) == (300, sum(before), True, False)


def test_the_report_for_people_ends_with_the_next_command(command: Run, tmp_path: Path) -> None:
    """The printed command queries the file that was made."""
    ended = command("demo", "--file", str(tmp_path / "a.db"), "--cities", "100")
    assert f"isthmus query sqlite:///{tmp_path / 'a.db'} cities" in ended.out


@pytest.mark.parametrize("existing", ["a.db", "b.db"])
def test_an_existing_file_is_refused(command: Run, tmp_path: Path, existing: str) -> None:
    """It stays as it was, and nothing else is made."""
    (tmp_path / existing).write_text("mine")
    files = ("--file", str(tmp_path / "a.db"), "--copy", str(tmp_path / "b.db"))
    ended = command("demo", *files, "--cities", "100", "--json")
    assert (ended.code, json.loads(ended.err)["error"]["code"]) == (1, "already_exists")
    assert ("mine", [existing]) == ((tmp_path / existing).read_text(), [path.name for path in tmp_path.iterdir()])


def test_the_data_has_all_kinds_of_values() -> None:
    """Sets, nested maps and decimals are in it, so the demo shows something."""
    cities = list(read_cities(200))
    assert len({tuple(CITIES.key_of(city).values()) for city in cities}) == 200
    assert any(isinstance(city.get("other_names"), frozenset) for city in cities)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the largest size of a process is read from /proc")
def test_the_whole_demo_is_quick_and_small(tmp_path: Path) -> None:
    """All 34,006 cities within 60 seconds of one processor and 300 MB."""
    # Not what getrusage() says: a child begins with the largest size of its parent.
    largest = "next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))"
    code = (
        f"import atexit, sys\natexit.register(lambda: print({largest}, file=sys.stderr))\n"
        "from isthmus.cli.main import main\nsys.exit(main())"
    )
    before = getrusage(RUSAGE_CHILDREN)
    command = [sys.executable, "-c", code, "demo", "--file", str(tmp_path / "a.db"), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    steps = {one["step"]: one["count"] for one in json.loads(ended.stdout)["steps"]}
    assert (steps["load"], steps["copy and verify"]) == (34_006, 34_006)
    assert len(populations_of_the_file_alone(tmp_path / "a.db")) == 34_006
    assert (seconds < 60, int(ended.stderr.split()[-2]) < 300 * 1024) == (True, True)
