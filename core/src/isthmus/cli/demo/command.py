"""The command ``isthmus demo``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from attrs import frozen

import isthmus
from isthmus.cli.demo.report import print_report
from isthmus.cli.demo.route import Part, Route, check_digests
from isthmus.cli.demo.targets import Target, opened_targets
from isthmus.cli.output import json_option
from isthmus.cli.progress import shown_progress
from isthmus.errors import AlreadyExists

DEFAULT_FILE = "isthmus-demo.db"


@frozen
class Files:
    """The SQLite files that the demo makes; ``back`` only where it went to other databases in between."""

    file: Path
    copy: Path
    back: Path

    @classmethod
    def named(cls, file: str, copy: str | None) -> Files:
        """The files of the command line; those that it does not name lie next to the first."""
        path = Path(file)
        beside = {name: path.with_name(f"{path.stem}-{name}{path.suffix}") for name in ("copy", "back")}
        return cls(path, beside["copy"] if copy is None else Path(copy), beside["back"])


@click.command()
@click.option("--file", default=DEFAULT_FILE, show_default=True, help="The SQLite file to create.")
@click.option("--copy", "second", help="The second SQLite file to create; by default next to the first.")
@click.option("--cities", type=click.IntRange(10), help="Load only that many cities.")
@click.option(
    "--to",
    "targets",
    multiple=True,
    metavar="URL|ENGINE",
    help="Run the demo on that database too: a URL, or an engine that is started for it. May be repeated.",
)
@json_option
def demo(file: str, second: str | None, cities: int | None, targets: tuple[str, ...], as_json: bool) -> None:
    """Load the world's cities into SQLite, query and change them, copy them to a second store, and verify the copy.

    With --to, do the same on other databases, then copy the cities from each to the next and back into a third file.

    An existing file or table is refused, never overwritten. The files stay, for `isthmus query` and the like; what was
    made in other databases is removed.
    """
    files = Files.named(file, second)
    for path in (files.file, files.copy, *([files.back] if targets else [])):
        refuse_existing(path)
    parts = _run(files, cities, targets)
    check_digests(parts)
    if as_json:
        print(json.dumps(_as_json(files, parts), ensure_ascii=False))
    else:
        _print(files, parts)


def _run(files: Files, cities: int | None, targets: Sequence[str]) -> list[Part]:
    with opened_targets(targets) as opened, shown_progress() as progress:
        route = Route(cities, progress)
        with isthmus.connect(_url(files.file)) as source, isthmus.connect(_url(files.copy)) as copy:
            embedded = route.embedded(source, copy)
        if not opened:
            return [embedded]
        with isthmus.connect(_url(files.back)) as back:
            return [embedded, *route.further(opened, Target("sqlite", back))]


def _as_json(files: Files, parts: Sequence[Part]) -> dict[str, Any]:
    steps = [[one.to_dict() for one in part.done] for part in parts]
    shown = {"file": str(files.file), "copy": str(files.copy), "steps": steps[0]}
    if len(parts) == 1:
        return shown
    further = [{"target": part.name, "steps": done} for part, done in zip(parts[1:-1], steps[1:-1], strict=True)]
    return {**shown, "back": str(files.back), "targets": further, "copies": steps[-1], "digest": check_digests(parts)}


def _print(files: Files, parts: Sequence[Part]) -> None:
    for part in parts:
        print_report(part.done, part.name if len(parts) > 1 else None)
    count = f"{parts[0].done[-1].outcome.count:,} cities"
    if len(parts) > 1:
        print(f"The same steps left the same {count} everywhere: {check_digests(parts)}")
    print(f"{'Both' if len(parts) == 1 else 'All three'} files hold the same {count}. Look at them:")
    query = "cities country=FR --where 'population > 300000' --select name,population --table"
    print(f"  isthmus query {_url(files.file)} {query}")
    print(f"  isthmus copy {_url(files.copy)} memory:// --verify")


def refuse_existing(path: Path) -> None:
    """Refuse to touch a file that is there.

    :raises AlreadyExists: naming the file
    """
    if path.exists():
        raise AlreadyExists(f"{path} exists and is not overwritten: remove it, or name another with --file and --copy")


def _url(path: Path) -> str:
    # An absolute path begins with a slash of its own: sqlite:////tmp/x.db.
    return f"sqlite:///{quote(str(path))}"
