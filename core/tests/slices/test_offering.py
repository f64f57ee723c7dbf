"""Who reads a table in slices: a plugin's reader, or segments of a scan."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

import isthmus
from isthmus import Database, Flow, Layer, Plugin, Stage, Table, hookimpl
from isthmus import operations as op
from isthmus.capabilities import Capabilities, Capability, Unsupported
from isthmus.errors import Closed, InvalidCursor
from isthmus.slices import DEFAULT_BYTES, SegmentReader, Slice, SliceReader, slice_reader

TABLE = Table("things", "id")


class Offered(SliceReader):
    """Finds nothing."""

    def units(self, wanted: int) -> list[str]:
        return ["all"] * wanted

    def read(
        self, unit: str, cursor: str | None, *, items: int, size: int = DEFAULT_BYTES, timeout: float | None = None
    ) -> Slice:
        return Slice()


class Offering(Plugin):
    """Offers a reader for one table."""

    name: ClassVar[str] = "offering"

    @hookimpl
    def isthmus_read_slices(self, database: Database, table: Table) -> SliceReader | None:
        return Offered() if (database.backend_name, table.name) == ("memory", TABLE.name) else None


class Watching(Layer):
    """A layer that hands everything on."""

    stage = Stage.AUDIT
    name = "watching"

    def __init__(self, *handles: type[op.Operation]) -> None:
        self.handles = handles

    def flow(self, operation: op.Operation) -> Flow:
        return (yield operation)


class Contributing(Plugin):
    """Contributes a layer."""

    name: ClassVar[str] = "contributing"

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    @hookimpl
    def isthmus_layers(self) -> Any:  # type: ignore[override]  # may leave out arguments
        return [self._layer]


def test_a_plugin_offers_its_reader() -> None:
    """For the tables that it knows."""
    with isthmus.connect("memory://", plugins=[Offering()]) as database:
        assert slice_reader(database, TABLE).units(2) == ["all", "all"]
        assert type(slice_reader(database, Table("others", "id"))) is SegmentReader


@pytest.mark.parametrize(("kind", "reader"), [(op.Scan, SegmentReader), (op.Get, Offered), (op.Put, Offered)])
def test_a_layer_that_handles_scans_is_read_through(kind: type[op.Operation], reader: type[SliceReader]) -> None:
    """What it renames or decrypts, a reader beneath it would give as it is stored."""
    with isthmus.connect("memory://", plugins=[Offering(), Contributing(Watching(kind))]) as database:
        assert type(slice_reader(database, TABLE)) is reader


def test_where_a_backend_cannot_count_its_items_are_read() -> None:
    """It needs no code for that, as for nothing else of slices."""

    class Weak(Watching):
        def capabilities(self, inner: Capabilities) -> Capabilities:
            return inner.replace({Capability.COUNT: Unsupported("not here")})

    with isthmus.connect("memory://", plugins=[Contributing(Weak(op.Get))]) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put_many([{"id": f"i{number}"} for number in range(5)]).raise_for_failures()
        reader = SegmentReader(database, table.schema)
        (unit,) = reader.units(1)
        first = reader.count(unit, None, items=3)
        second = reader.count(unit, first.cursor, items=3)
    assert (first.count, second.count, second.cursor) == (3, 2, None)


def test_an_async_database_is_offered_nothing() -> None:
    """Readers block."""

    async def offered() -> SliceReader | None:
        async with isthmus.aconnect("memory://", plugins=[Offering()]) as database:
            return database.offered_slice_reader(TABLE)

    assert asyncio.run(offered()) is None


def test_a_closed_database_has_no_reader_and_dispatches_nothing() -> None:
    """As everything else is refused."""
    with isthmus.connect("memory://", plugins=[Offering()]) as database:
        pass
    with pytest.raises(Closed):
        slice_reader(database, TABLE)
    with pytest.raises(Closed):
        database.dispatch(op.ListTables(op.Context()))


def test_dispatch_is_beneath_layers_and_seen_by_observers() -> None:
    """A layer that counts sees nothing, an observer does."""
    seen: list[str] = []

    class Observing(Plugin):
        name: ClassVar[str] = "observing"

        @hookimpl
        def isthmus_operation_completed(self, outcome: Any) -> None:
            seen.append(outcome.kind)

    class Seeing(Watching):
        def flow(self, operation: op.Operation) -> Flow:
            seen.append("layer")
            return (yield operation)

    plugins = [Observing(), Contributing(Seeing(op.ListTables))]

    async def of_the_twin() -> None:
        async with isthmus.aconnect("memory://", plugins=plugins) as database:
            await database.dispatch(op.ListTables(op.Context()))

    with isthmus.connect("memory://", plugins=plugins) as database:
        database.dispatch(op.ListTables(op.Context()))
    asyncio.run(of_the_twin())
    assert seen == ["list_tables", "list_tables"]


def test_a_cursor_of_another_table_is_refused() -> None:
    """Its key has other names."""
    with isthmus.connect("memory://") as database:
        database.tables.create(TABLE)
        others = database.table("others", partition_key="name").ensure()
        others.put_many([{"name": "a"}, {"name": "b"}]).raise_for_failures()
        reader = slice_reader(database, others.schema)
        (unit,) = reader.units(1)
        first = reader.read(unit, None, items=1)
        assert first.cursor is not None
        with pytest.raises(InvalidCursor):
            slice_reader(database, TABLE).read(unit, first.cursor, items=1)
