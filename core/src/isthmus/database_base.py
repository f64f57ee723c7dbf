"""What the sync and the async database share: everything but I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import evolve

from isthmus import requests as req
from isthmus.arguments import check_open
from isthmus.backends import Backend
from isthmus.capabilities import Capabilities, Limits
from isthmus.metrics import MetricDescription
from isthmus.operations import Context
from isthmus.pipeline import Explanation, Pipeline
from isthmus.schema import Table

if TYPE_CHECKING:
    from isthmus.database import Database
    from isthmus.slices import SliceReader


class DatabaseBase:
    """A view of an opened database for one caller."""

    writes_wait: ClassVar[bool] = False
    """Whether writes wait for the end of a unit of work."""

    def __init__(self, pipeline: Pipeline, context: Context = Context()) -> None:  # noqa: B008  # frozen
        self._pipeline = pipeline
        self._context = context

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}{' (closed)' if self._pipeline.closed else ''}>"

    @property
    def url(self) -> str:
        """The URL with secrets left out."""
        return self._pipeline.url

    @property
    def backend_name(self) -> str:
        """The backend's name."""
        return self._pipeline.backend_name

    @property
    def capabilities(self) -> Capabilities:
        """What callers can rely on, after all layers."""
        return self._pipeline.capabilities

    @property
    def limits(self) -> Limits:
        """The backend's limits."""
        return self._pipeline.limits

    @property
    def converter(self) -> Any:
        """The cattrs converter between Python types and portable values."""
        return self._pipeline.converter

    @property
    def backend(self) -> Backend:
        """The backend beneath all layers: for tests and tools that must see what is stored."""
        return self._pipeline.backend

    def native(self) -> Any:
        """The driver's own client: an escape hatch, outside of all layers and of the contract.

        :raises Closed: the database was closed
        """
        check_open(self._pipeline.closed)
        return self._pipeline.backend.native()

    def blocking(self) -> Database:
        """The same database for code that blocks, as it is used in threads; closing it closes the database.

        :raises Closed: the database was closed
        """
        from isthmus.database import Database  # programs that only await need it for nothing else

        check_open(self._pipeline.closed)
        return Database(self._pipeline, self._context)

    def bind(self, *, actor: str | None) -> Self:
        """A view of the same database for a named caller."""
        return type(self)(self._pipeline, evolve(self._context, actor=actor))

    def offered_slice_reader(self, table: Table) -> SliceReader | None:
        """The reader that a plugin offers for a table: see ``isthmus.slices``.

        None for an async database, and where a layer handles scans.

        :raises Closed: the database was closed
        """
        check_open(self._pipeline.closed)
        return None

    def explain(self) -> Explanation:
        """The composed stack, outer to inner."""
        return self._pipeline.explain()

    def describe_metrics(self) -> list[MetricDescription]:
        """The metrics that the core and the active plugins emit."""
        return self._pipeline.describe_metrics()

    def _requests(self, table: Table) -> req.Requests:
        pipeline = self._pipeline
        return req.Requests(table, pipeline.limits, self._context, pipeline.settings.timeout, pipeline.clock)

    def context(self, timeout: float | None) -> Context:
        """The caller's context with a deadline."""
        return req.with_deadline(self._context, self._pipeline.settings.timeout if timeout is None else timeout)
