"""Peak memory of a client that scans a table of 1,000,000 items."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import isthmus
from tests.bench.measure import Measurement

ITEMS, CHUNK = 1_000_000, 10_000
SCAN = """
import re, sys, isthmus
from pathlib import Path
with isthmus.connect(sys.argv[1]) as database:
    count = sum(1 for _item in database.tables.open("numbers").scan())
# Not getrusage: its peak is inherited from the process that started this one.
print(count, int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()).group(1)) / 1024)
"""


def measure() -> list[Measurement]:
    """The scan's peak resident memory, in a process of its own."""
    with TemporaryDirectory(prefix="isthmus-bench-") as folder:
        url = f"sqlite:///{Path(folder)}/numbers.db?synchronous=off"
        _fill(url)
        command = [sys.executable, "-c", SCAN, url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    count, peak = int(output[0]), float(output[1])
    if count != ITEMS:
        raise AssertionError(f"the scan gave {count} items, not {ITEMS}")
    return [Measurement(f"peak memory, scan of {ITEMS:,} items", peak, None, peak, "MB", 1, 150.0)]


def _fill(url: str) -> None:
    with isthmus.connect(url) as database:
        table = database.table("numbers", partition_key=("number", int)).ensure()
        for start in range(0, ITEMS, CHUNK):
            items = ({"number": number, "text": f"item {number}"} for number in range(start, start + CHUNK))
            table.put_many(items).raise_for_failures()
