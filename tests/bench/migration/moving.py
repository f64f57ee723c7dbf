"""Whole commands in turn: Isthmus, the script, and the script in two processes; each from its start to its end."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

from attrs import frozen

import isthmus
from tests.bench.measure import Measurement, rate
from tests.bench.servers import stores
from tests.bench.servers.peers.addresses import ACCESS_KEY, REGION, SECRET_KEY
from tests.bench.servers.processes import environment
from tests.bench.servers.rounds import Settings

ITEMS = int(os.environ.get("BENCH_MIGRATION_ITEMS", "100000"))
"""Enough of them that a command's start counts little."""
TABLE = "orders"
ROOT = Path(__file__).parents[3]


@frozen
class Course:
    """How one command went.

    :param whole: seconds from its start to its end
    :param each: seconds for each item, once the first ones had arrived
    """

    whole: float
    each: float


def measure(settings: Settings) -> list[Measurement]:
    """Items a second, as ratios to both scripts."""
    with stores.dynamodb() as source, stores.mongodb() as target:
        url = f"dynamodb://{REGION}/?endpoint={source.target}&access_key_id={ACCESS_KEY}&secret_access_key={SECRET_KEY}"
        load(url)
        commands = _commands(stores.Store(url, source.target), target)
        found = _rounds(commands, target.url, settings.rounds)
    return [
        measurement
        for script, bar in (("a script", 4.0), ("the script in two processes", 2.0))
        for measurement in _compared(found, script, bar)
    ]


def _compared(found: list[dict[str, Course]], script: str, bar: float) -> list[Measurement]:
    moving = [(courses["isthmus"].each * ITEMS, courses[script].each * ITEMS) for courses in found]
    whole = [(courses["isthmus"].whole, courses[script].whole) for courses in found]
    title = f"DynamoDB to MongoDB, {ITEMS:,} items of 1 KB, {script}"
    return [rate(title, moving, ITEMS, bar), rate(f"{title}, start and end of the commands too", whole, ITEMS, 1.0)]


def _commands(source: stores.Store, target: stores.Store) -> dict[str, Callable[[str], list[str]]]:
    module = "tests.bench.migration"
    script = [sys.executable, "-m", f"{module}.script", source.target, TABLE, target.target]
    ours = [sys.executable, "-m", f"{module}.isthmus_run", source.url, target.url]
    return {
        "isthmus": lambda folder: [*ours, f"{folder}/work", TABLE],
        "a script": lambda _folder: [*script, "1"],
        "the script in two processes": lambda _folder: [*script, "2"],
    }


def _rounds(commands: dict[str, Callable[[str], list[str]]], target: str, count: int) -> list[dict[str, Course]]:
    """So many rounds, after one that does not count: packages that pip installs are compiled before their first use."""
    with tempfile.TemporaryDirectory() as compiled:
        variables = environment() | {"PYTHONPYCACHEPREFIX": compiled}
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        return [_round(commands, target, variables) for _ in range(count + 1)][1:]


def _round(
    commands: dict[str, Callable[[str], list[str]]], target: str, variables: dict[str, str]
) -> dict[str, Course]:
    # The order is no secret; it only has to differ from round to round.
    return {name: _course(commands[name], target, variables) for name in random.sample(list(commands), len(commands))}


def _course(command: Callable[[str], list[str]], target: str, variables: dict[str, str]) -> Course:
    _clear(target)
    with tempfile.TemporaryDirectory() as folder:
        started = perf_counter()
        answer = subprocess.run(command(folder), cwd=ROOT, env=variables, stdout=subprocess.PIPE, check=True, text=True)
        whole = perf_counter() - started
    items, each = answer.stdout.split()[-2:]
    assert int(items) == ITEMS, answer.stdout
    return Course(whole, float(each))


def _clear(target: str) -> None:
    with isthmus.connect(target) as database:
        for name in database.tables.list():
            database.tables.drop(name)
        database.native().get_default_database()[TABLE].drop()


def load(url: str) -> None:
    """Put the items into the source."""
    with isthmus.connect(url) as database:
        if TABLE in database.tables.list():
            database.tables.drop(TABLE)
        table = database.table(TABLE, partition_key="pk", sort_key="sk").ensure()
        batch: list[dict[str, Any]] = []
        for item in items(ITEMS):
            batch.append(item)
            if len(batch) == 1_000:
                table.put_many(batch).raise_for_failures()
                batch = []


def items(count: int) -> Iterator[dict[str, Any]]:
    """Orders of about 1 KB with six decimals, a set and a list of maps."""
    chance = random.Random(1)
    for number in range(count):
        yield {
            "pk": f"customer-{number % 977}",
            "sk": f"order-{number:08d}",
            "state": chance.choice(["open", "sent"]),
            "note": "x" * 600,
            "tags": {"a", "b", f"t{number % 7}"},
            "lines": [{"sku": f"s{line}", "pieces": line} for line in range(6)],
            **{f"amount{place}": Decimal(chance.randrange(10**9)) / 100 for place in range(6)},
        }
