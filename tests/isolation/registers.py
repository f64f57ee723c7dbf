"""Registers: single items that are read, written, replaced on a condition, made and removed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from attrs import frozen

from isthmus import Capability, F
from isthmus.errors import AlreadyExists, ConditionFailed, ItemNotFound
from tests.isolation.clients import Client, Script
from tests.isolation.history import Call
from tests.isolation.linearizability import IMPOSSIBLE, State, violation
from tests.isolation.workload import Workload

KEYS = ("a", "b", "c")
REFUSALS = (AlreadyExists, ConditionFailed, ItemNotFound)


@frozen
class Access:
    """What was asked of one register.

    :param kind: ``read``, ``write``, ``swap``, ``make`` or ``remove``
    :param value: the new one
    :param expected: the one that a swap replaces
    """

    kind: str
    key: str
    value: int | None = None
    expected: int | None = None

    def __str__(self) -> str:
        what = {"write": f" {self.value}", "make": f" {self.value}", "swap": f" {self.expected} for {self.value}"}
        return f"{self.kind} {self.key}{what.get(self.kind, '')}"


def step(state: State, call: Call) -> State:
    """What a register holds after a call; ``None`` is no item."""
    access: Access = call.action
    if access.kind == "read":
        return state if call.answer == state else IMPOSSIBLE
    if call.outcome == "failed":  # refused, and told what is there
        fits = state is not None if isinstance(call.error, AlreadyExists) else call.answer == state
        return state if fits else IMPOSSIBLE
    allowed: Mapping[str, Callable[[], bool]] = {
        "swap": lambda: state == access.expected and state is not None, "make": lambda: state is None,
        "remove": lambda: call.outcome == "unknown" or call.answer == (state is not None),
    }  # fmt: skip
    return access.value if access.kind not in allowed or allowed[access.kind]() else IMPOSSIBLE


def telling(call: Call) -> bool:
    """Whether a call tells anything: answers do, refusals for what is there, and writes that may have happened."""
    if call.outcome == "failed":
        return isinstance(call.error, REFUSALS)
    return call.outcome == "done" or call.action.kind != "read"


class Registers(Workload):
    """Each client reads and writes three registers."""

    name: ClassVar[str] = "registers"
    needs: ClassVar[tuple[Capability, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self._values = itertools.count(1)
        self._last: dict[str, int] = {}

    def prepare(self, database: Any) -> Script:
        """Nothing: the registers are empty."""
        yield from ()

    def act(self, database: Any, client: Client) -> Script:
        key = client.chance.choice(KEYS)
        kind = client.chance.choices(["read", "write", "swap", "make", "remove"], [8, 2, 5, 2, 1])[0]
        value = next(self._values) if kind in {"write", "swap", "make"} else None
        access = Access(kind, key, value, self._last.get(key) if kind == "swap" else None)
        with self.history.call(client.number, access) as call:
            call.answer = yield from self._carry_out(self.table(database), access, client)
        if isinstance(call.error, ConditionFailed):
            call.answer = None if call.error.current is None else call.error.current["value"]
        if type(call.answer) is int:
            self._last[key] = call.answer

    def look(self, database: Any) -> Script:
        for key in KEYS:
            with self.history.call(-1, Access("read", key)) as call:
                item = yield self.table(database).find(id=key)
                call.answer = None if item is None else item["value"]

    def problems(self, *, strict: bool) -> list[str]:
        found = []
        for key in KEYS:
            calls = [call for call in self.history.calls if call.action.key == key and telling(call)]
            if (wrong := violation(calls, step)) is not None:
                found.append(f"register {key}: {wrong}")
        return found

    def _carry_out(self, table: Any, access: Access, client: Client) -> Script:
        item = {"id": access.key, "value": access.value}
        match access.kind:
            case "read" if client.chance.random() < 0.3:
                found = yield table.get_many([{"id": access.key}])
                return None if found.items[0] is None else found.items[0]["value"]
            case "read":
                found = yield table.find(id=access.key)
                return None if found is None else found["value"]
            case "write":
                yield table.put(item)
            case "make":
                yield table.create(item)
            case "swap" if client.chance.random() < 0.5:
                yield table.put(item, when=F.value == access.expected)
            case "swap":
                yield table.update(id=access.key, set={"value": access.value}, when=F.value == access.expected)
            case _:
                return (yield table.delete(id=access.key))
        return access.value
