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


def measure(settings: Settings) -> list[Measurement]:
    """Items a second, as ratios to both scripts."""
    with stores.dynamodb() as source, stores.mongodb() as target:
        url = f"dynamodb://{REGION}/?endpoint={source.target}&access_key_id={ACCESS_KEY}&secret_access_key={SECRET_KEY}"
        load(url)
        runs = _runs(stores.Store(url, source.target), target)
        found = [
            {name: _timed(runs[name], target.url) for name in random.sample(list(runs), len(runs))}
            for _ in range(settings.rounds)
        ]
    pairs = {name: [(times["isthmus"], times[name]) for times in found] for name in runs}
    return [
        rate(f"move {ITEMS:,} items of 1 KB, DynamoDB to MongoDB, a script", pairs["script"], ITEMS, bar=4.0),
        rate("the same, the script in two processes", pairs["two"], ITEMS, bar=2.0),
    ]


def _runs(source: stores.Store, target: stores.Store) -> dict[str, Callable[[], None]]:
    module = "tests.bench.migration"
    script = [sys.executable, "-m", f"{module}.script", source.target, TABLE, target.target]

    def ours() -> None:
        with tempfile.TemporaryDirectory() as folder:
            _run([sys.executable, "-m", f"{module}.isthmus_run", source.url, target.url, f"{folder}/work", TABLE])

    return {"isthmus": ours, "script": lambda: _run([*script, "1"]), "two": lambda: _run([*script, "2"])}


def _run(command: list[str]) -> None:
    answer = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, check=True, text=True)
    assert int(answer.stdout.split()[-1]) == ITEMS, answer.stdout


def _timed(run: Callable[[], None], target: str) -> float:
    with isthmus.connect(target) as database:
        for name in database.tables.list():
            database.tables.drop(name)
        database.native().get_default_database()[TABLE].drop()
    started = perf_counter()
    run()
    return perf_counter() - started


def load(url: str) -> None:
    """Put the items into the source."""
    with isthmus.connect(url) as database:
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
