"""The command ``isthmus demo``."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import click

import isthmus
from isthmus.cli.demo.cities import read_cities
from isthmus.cli.demo.report import Done, print_report, run_steps
from isthmus.cli.demo.steps import Demo
from isthmus.cli.output import json_option
from isthmus.cli.progress import shown_progress
from isthmus.errors import AlreadyExists

DEFAULT_FILE = "isthmus-demo.db"


@click.command()
@click.option("--file", default=DEFAULT_FILE, show_default=True, help="The SQLite file to create.")
@click.option("--copy", "second", help="The second SQLite file to create; by default next to the first.")
@click.option("--cities", type=click.IntRange(10), help="Load only that many cities.")
@json_option
def demo(file: str, second: str | None, cities: int | None, as_json: bool) -> None:
    """Load the world's cities into SQLite, query and change them, copy them to a second store, and verify the copy.

    An existing file is refused, never overwritten. The files stay, for `isthmus query` and the like.
    """
    path = Path(file)
    copy = path.with_name(f"{path.stem}-copy{path.suffix}") if second is None else Path(second)
    for each in (path, copy):
        refuse_existing(each)
    done = _run(path, copy, cities)
    if as_json:
        print(
            json.dumps({"file": file, "copy": str(copy), "steps": [one.to_dict() for one in done]}, ensure_ascii=False)
        )
        return
    print_report(done)
    print(f"Both files hold the same {done[-1].outcome.count:,} cities. Look at them:")
    print(
        f"  isthmus query {_url(path)} cities country=FR --where 'population > 300000' --select name,population --table"
    )
    print(f"  isthmus copy {_url(copy)} memory:// --verify")


def _run(path: Path, copy: Path, cities: int | None) -> list[Done]:
    with isthmus.connect(_url(path)) as source, isthmus.connect(_url(copy)) as target, shown_progress() as progress:
        return run_steps(Demo(source, target, read_cities(cities), progress))


def refuse_existing(path: Path) -> None:
    """Refuse to touch a file that is there.

    :raises AlreadyExists: naming the file
    """
    if path.exists():
        raise AlreadyExists(f"{path} exists and is not overwritten: remove it, or name another with --file and --copy")


def _url(path: Path) -> str:
    # An absolute path begins with a slash of its own: sqlite:////tmp/x.db.
    return f"sqlite:///{quote(str(path))}"
