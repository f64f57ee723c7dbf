"""Capabilities: what is declared works, and what is not is refused before any I/O."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from isthmus import Backend, BoundTable, Capability, Database, Unsupported
from isthmus.errors import InvalidArgument, PluginError, UnsupportedOperation
from isthmus_conformance.base import MakeTable, OpenDatabase, Suite, requires, skip_unsupported
from isthmus_conformance.comparing import assert_same
from isthmus_conformance.recording import note_capabilities, note_probe
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.probes import DECLARED_ONLY, INDEX, ITEMS, PROBES, Probe
from isthmus_conformance.witness import Witness

_PROBED = [pytest.param(capability, id=capability.value) for capability in PROBES]
_REFUSABLE = [pytest.param(capability, id=capability.value) for capability in PROBES if capability not in DECLARED_ONLY]
_READ_ELSEWHERE = """
import sys, isthmus
database = isthmus.connect(sys.argv[1])
table = database.tables.open(sys.argv[2])
table.put({"id": "theirs", "read": table.get(id="ours")["x"]})
database.close()
"""


class CapabilitiesSuite(Suite):
    """Capabilities: what is declared works, and what is not is refused before any I/O."""

    @rule("LYR-1")
    def test_every_capability_is_declared(self, database: Database, request: pytest.FixtureRequest) -> None:
        """With a reason where it is not supported; layers may lower what the backend declares."""
        note_capabilities(request.node, database.backend)
        assert set(database.backend.capabilities) == set(Capability)
        assert set(database.capabilities) == set(Capability)
        for level in database.backend.capabilities.unsupported().values():
            assert len(level.reason) > 10

    @rule("LYR-1")
    @pytest.mark.parametrize("capability", _PROBED)
    def test_what_is_declared_works(
        self, database: Database, make_table: MakeTable, capability: Capability, request: pytest.FixtureRequest
    ) -> None:
        """A small use of the capability gives what it should."""
        note_probe(request.node, database.backend, capability)
        level = database.capabilities[capability]
        if isinstance(level, Unsupported):
            skip_unsupported(capability, level)
        probe = PROBES[capability]
        assert_same(probe.expected, probe.use(database, _prepared(make_table, probe)))

    @rule("LYR-1")
    @pytest.mark.parametrize("capability", _REFUSABLE)
    def test_what_is_not_declared_is_refused_before_any_io(
        self,
        database: Database,
        make_table: MakeTable,
        open_database: OpenDatabase,
        capability: Capability,
        request: pytest.FixtureRequest,
    ) -> None:
        """UnsupportedOperation with the reason, and the backend is never asked; each capability is withheld in turn."""
        note_probe(request.node, database.backend, capability)
        declared = database.backend.capabilities[capability]
        level = declared if isinstance(declared, Unsupported) else Unsupported("withheld for this test")
        probe = PROBES[capability]
        table = _prepared(make_table, probe, indexes=database.capabilities.supports(Capability.SECONDARY_INDEX))
        witness = Witness(database.backend, {capability: level})
        limited = open_database(witness)
        with pytest.raises(UnsupportedOperation) as raised:
            probe.use(limited, limited.table(table.schema))
        # A backend that lacks more than this one may name what else the call relies on.
        reasons = {name.value: lacking.reason for name, lacking in limited.capabilities.unsupported().items()}
        assert reasons.get(raised.value.capability) == raised.value.reason
        assert raised.value.reason in str(raised.value)
        assert witness.seen == []

    @rule("NUM-1")
    def test_wide_numbers_are_as_wide_as_declared(
        self, database: Database, table: BoundTable, request: pytest.FixtureRequest
    ) -> None:
        """38 digits where declared, at least 34 everywhere."""
        note_probe(request.node, database.backend, Capability.WIDE_NUMBERS)
        wide = database.capabilities.supports(Capability.WIDE_NUMBERS)
        digits = 38 if wide else database.limits.number_digits
        assert 34 <= digits <= 38
        table.put({"id": "a", "x": int("9" * digits)})
        assert_same(int("9" * digits), table.get(id="a")["x"])
        with pytest.raises(InvalidArgument):
            table.put({"id": "a", "x": int("9" * (digits + 1))})

    @rule("TAB-2", "QRY-12")
    @requires(Capability.DURABLE)
    def test_what_was_acknowledged_is_there_after_reopening(
        self,
        database: Database,
        table: BoundTable,
        source: str | Backend,
        open_database: OpenDatabase,
        request: pytest.FixtureRequest,
    ) -> None:
        """Tables and items alike."""
        url = _url(source)
        note_probe(request.node, database.backend, Capability.DURABLE)
        table.put({"id": "a", "x": [1, {"y": frozenset({b"z"})}]})
        database.close()
        again = open_database(url)
        assert_same({"id": "a", "x": [1, {"y": frozenset({b"z"})}]}, again.table(table.schema).ensure().get(id="a"))
        again.tables.drop(table.name)

    @rule("TAB-6", "QRY-12")
    @requires(Capability.SHARED_BY_PROCESSES)
    def test_another_process_sees_and_makes_changes(
        self, database: Database, table: BoundTable, source: str | Backend, request: pytest.FixtureRequest
    ) -> None:
        """While this one has the store open."""
        note_probe(request.node, database.backend, Capability.SHARED_BY_PROCESSES)
        table.put({"id": "ours", "x": 5})
        command = [sys.executable, "-c", _READ_ELSEWHERE, _url(source), table.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # our own text
        assert done.returncode == 0, done.stderr
        assert_same({"id": "theirs", "read": 5}, table.get(id="theirs"))

    @rule("LYR-1")
    def test_an_undeclared_or_unexplained_level_is_a_mistake_of_the_backend(self, database: Database) -> None:
        """PluginError."""
        levels: dict[Any, Any] = dict(database.backend.capabilities)
        make = type(database.backend.capabilities)
        with pytest.raises(PluginError):
            make({**levels, Capability.TTL: Unsupported(" ")})
        del levels[Capability.TTL]
        with pytest.raises(PluginError):
            make(levels)


def _prepared(make_table: MakeTable, probe: Probe, *, indexes: bool = True) -> BoundTable:
    declared = [INDEX] if probe.indexed and indexes else []
    table = make_table(partition_key="pk", sort_key="sk", indexes=declared)
    for item in ITEMS:
        table.put(item)
    return table


def _url(source: str | Backend) -> str:
    if isinstance(source, Backend):
        pytest.skip("the source is an opened backend, which cannot be opened twice: give a URL")
    return source
