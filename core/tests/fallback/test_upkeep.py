"""What happens beside transactions: looks for dead clients, measurements, the command line."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from core.tests.fallback.clients import Bank, Killed, Wall, at, fallback_of, kill, transfer, watch
from isthmus import Capability, Emulated, Plugin, connect, hookimpl
from isthmus.cli.app import run
from isthmus.fallback.metrics import DESCRIPTIONS
from isthmus.fallback.records import RECORD_TABLE, Record
from isthmus.fallback.recovery import Recovery
from isthmus.fallback.store import ABSENT, Place, Swap
from isthmus.metrics import Metric

BEFORE = {"a": 100, "b": 100, "c": 0}


class Recorder(Plugin):
    """Keeps all measurements."""

    name = "recorder"

    def __init__(self, settings: object = None) -> None:
        super().__init__(settings)
        self.metrics: list[Metric] = []

    @hookimpl
    def isthmus_record_metric(self, metric: Metric) -> None:
        self.metrics.append(metric)


def dead(step: str) -> Bank:
    """A store in which somebody died."""
    bank = Bank()
    table = bank.accounts(**BEFORE)
    watch(table.database, at(step, kill))
    with pytest.raises(Killed):
        transfer(table)
    return bank


def test_the_first_transaction_looks_for_dead_clients() -> None:
    """The next look is a minute later. What has not changed since then is ended, without anybody touching its items."""
    bank = dead("after_commit")
    client = connect(bank.store, clock=bank.wall)
    clock = Wall(100.0)
    fallback_of(client).shared.leases.monotonic = clock
    other = client.table("others", partition_key="id").ensure()

    def write() -> None:
        client.transact_write([other.actions.put({"id": "1"}), other.actions.put({"id": "2"})])

    write()
    clock.now += 59
    write()
    assert bank.locked() == ["a", "b", "c"]
    clock.now += 2
    write()
    assert bank.locked() == []


def test_any_number_of_dead_clients_is_recovered() -> None:
    """Also more than the sightings of records that a process remembers."""
    bank = dead("after_record")
    record = Record.from_item(bank.records()[0])
    for number in range(1_200):
        more = evolve(record, id=f"x:{number}", attempt=b"%016d" % number, items=(), lease_until=0)
        assert bank.store.cas(Swap(Place(RECORD_TABLE, {"id": more.id}), ABSENT, more.to_item()))
    client = connect(bank.store, clock=bank.wall)
    assert client.recover().undone == 1_200


def test_remembered_transactions_hide_no_dead_client() -> None:
    """The look goes past what is kept for its token only, however much of that comes first."""
    bank = dead("after_commit")
    table = bank.table(bank.client())
    pair = [table.actions.put({"id": name}) for name in ("x", "y")]
    for number in range(40):
        table.database.transact_write(pair, token=f"token {number}")
    assert bank.locked() == ["a", "b", "c"]
    looking = bank.client(sweep_s=0)
    for _ in range(8):  # each look at its clock takes a second
        looking.transact_write(pair)
    assert bank.locked() == []


def test_a_failing_look_hurts_nobody() -> None:
    """Transactions don't depend on it."""
    bank = Bank()
    bank.accounts(**BEFORE)

    def scan(*_arguments: object) -> object:
        raise RuntimeError("no")

    object.__setattr__(bank.store.item_store, "scan", scan)
    transfer(connect(bank.store, clock=bank.wall).table("accounts", partition_key="id", ttl="expires"))
    assert bank.amounts() == {"a": 90, "b": 110, "c": 0}


def test_measurements() -> None:
    """Attempts, what was stopped and settled, with the backend's name and nothing of keys or values."""
    bank = dead("after_lock_3")
    recorder = Recorder()
    client = connect(bank.store, clock=bank.wall, plugins=[recorder], fallback={"sweep_s": 1e9, "lease_ms": 1})
    fallback_of(client).shared.swept_at = 0.0
    shared = fallback_of(client).shared
    clock = Wall(0.0)
    shared.leases.monotonic = clock
    table = client.table("accounts", partition_key="id", ttl="expires")
    assert table.get(id="a")["n"] == 100
    clock.now += 10
    transfer(table)
    found = {metric.name for metric in recorder.metrics if metric.name.startswith("isthmus.fallback.")}
    assert found == {"isthmus.fallback.attempts", "isthmus.fallback.stopped", "isthmus.fallback.settled"}
    assert found < {description.name for description in DESCRIPTIONS}
    assert {description.name for description in DESCRIPTIONS} <= {metric.name for metric in client.describe_metrics()}
    described = {description.name: set(description.labels) for description in DESCRIPTIONS}
    own = [metric for metric in recorder.metrics if metric.name in described]
    assert all(set(metric.labels) == described[metric.name] for metric in own)


def test_capabilities_say_what_is_guaranteed() -> None:
    """The level tells that it is emulated, and how far it goes."""
    level = Bank().client().capabilities[Capability.TRANSACT_WRITE]
    assert isinstance(level, Emulated)
    assert "strictly serializable" in level.reason
    assert "read-committed" in level.reason


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A database with transactions of its own has nothing to recover."""
    assert run(["recover", "memory://", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == Recovery().to_dict()
    assert run(["recover", "memory://"]) == 0
    assert capsys.readouterr().out == "0 examined, 0 finished, 0 undone, 0 forgotten, 0 left, 0 failed\n"
