"""The backends of this repository answer every generated history alike, and a difference is found and printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus import F
from isthmus.memory import MemoryBackend
from isthmus.operations import Operation, Query
from isthmus.results import Page, Result
from isthmus_conformance.base import FakeClock
from isthmus_conformance.differential import assert_same
from isthmus_conformance.steps import Call, Transaction, Walk


class _Forgetful(MemoryBackend):
    """Gives queries without their last item."""

    def execute(self, operation: Operation) -> Result:
        result = super().execute(operation)
        if isinstance(operation, Query) and isinstance(result, Page):
            return Page(result.items[:-1], max(0, result.count - 1))
        return result


def test_memory_and_sqlite_answer_alike(tmp_path: Path) -> None:
    """The memory backend, a SQLite file and SQLite in memory agree on results and classes of errors."""
    assert_same({"memory": "memory://", "file": f"sqlite:///{tmp_path}/kit.db", "sqlite": "sqlite://"})


def test_a_difference_fails_with_the_shortest_history() -> None:
    """Two steps are enough to show that a query loses an item; they are printed as Python."""
    clock = FakeClock()
    with pytest.raises(AssertionError, match=r"forgetful and memory differ after") as caught:
        assert_same({"memory": "memory://", "forgetful": _Forgetful(clock)}, clock=clock, steps=6)
    lines = str(caught.value).split("\n\n")[1].splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("table.") or lines[0].startswith("database.")
    assert lines[1].startswith("walk(table.query(")


def test_steps_print_as_python() -> None:
    """A history can be pasted into a program."""
    put = Call("put", ({"p": "x", "s": "a"},), {"when": F.n == 1})
    texts = [
        str(put),
        str(Transaction([put], "t1")),
        str(Walk(Call("query", (), {"p": "x"}), F.a.exists(), ("a",), forward=False, size=2, ordered=True)),
    ]
    assert texts == [
        "table.put({'p': 'x', 's': 'a'}, when=F.n == 1)",
        "database.transact_write([table.actions.put({'p': 'x', 's': 'a'}, when=F.n == 1)], token='t1')",
        "walk(table.query(p='x').where(F.a.exists()).select('a').descending(), size=2)",
    ]
