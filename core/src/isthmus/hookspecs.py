# mypy: disable-error-code="empty-body"
# Specifications have no bodies.
"""Every hook that Isthmus calls.

A plugin class inherits ``HookSpecs`` (through ``isthmus.Plugin``) and marks what it implements with ``@hookimpl``; mypy
then checks the signatures. Observers (names in the past tense, and ``isthmus_record_metric``) get one frozen object.
Each is isolated: what it raises is logged with the plugin's name and never breaks an operation. They are called
synchronously, also by the async database, so they must be quick. Within one hook, plugins are called in the order of
their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from cattrs import Converter
    from click import Group

    from isthmus.backends import Backend, BackendConfig
    from isthmus.database import Database
    from isthmus.dumps import DumpFormat
    from isthmus.errors import IsthmusError
    from isthmus.health import DatabaseView, HealthCheck
    from isthmus.layers import Layer
    from isthmus.metrics import Metric, MetricDescription
    from isthmus.observing import Attempt, Outcome
    from isthmus.operations import Operation, TransactWrite
    from isthmus.results import TransactWriteResult
    from isthmus.schema import Table
    from isthmus.slices import SliceReader

PROJECT = "isthmus"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class HookSpecs:
    """The specifications; each docstring says when, by whom, how often, in what order, and what may be raised."""

    # ---- life cycle ----

    @hookspec(firstresult=True)
    def isthmus_open_backend(self, config: BackendConfig) -> Backend | None:
        """Open the backend of a URL.

        Called once by ``connect`` and ``aconnect``, for the plugin that the URL's scheme names. The first plugin that
        returns a backend wins; ``None`` means that the scheme is another plugin's. May raise any ``IsthmusError``.
        """

    @hookspec
    def isthmus_layers(self, database: DatabaseView) -> Sequence[Layer]:
        """Contribute layers.

        Called once for each database, after the backend was opened and before any operation. The layers' stages decide
        their order, not the order of plugins. What it raises stops the opening.
        """

    @hookspec
    def isthmus_database_opened(self, database: DatabaseView) -> None:
        """Learn that a database is ready.

        Called once, by ``connect`` and ``aconnect``, after the layers were composed. What it raises stops the opening,
        and the backend is closed.
        """

    @hookspec
    def isthmus_database_closing(self, database: DatabaseView) -> None:
        """Release what belongs to a database.

        Called once by ``close``, before the backend is closed. An observer: exceptions are logged and the others still
        run.
        """

    @hookspec
    def isthmus_register_types(self, converter: Converter) -> None:
        """Teach the database's cattrs converter how further types become portable values and back.

        Called once for each database, while it opens. What it raises stops the opening.
        """

    @hookspec
    def isthmus_register_commands(self, cli: Group) -> None:
        """Add commands to the ``isthmus`` command line.

        Called once, when commands are listed or one is used that is neither built in nor an installed package's, for
        the plugins that the configuration activates. A plugin that raises is reported on standard error and left out.
        """

    @hookspec(firstresult=True)
    def isthmus_resolve_secret(self, reference: str) -> str | None:
        """Turn a reference like ``env:NAME`` or ``file:/run/secrets/name`` into a secret.

        Called while the configuration is read, once for each reference. The first plugin that returns text wins;
        ``None`` means that the kind of reference is another plugin's. May raise ``ConfigurationError``; its message
        must not hold the secret.
        """

    # ---- operations ----

    @hookspec
    def isthmus_operation_completed(self, outcome: Outcome) -> None:
        """Observe an operation that succeeded.

        Called once for each operation that a caller issued (a page of a query is one operation), after all layers, in
        the caller's thread.
        """

    @hookspec(firstresult=True)
    def isthmus_read_slices(self, database: Database, table: Table) -> SliceReader | None:
        """Offer a reader of a table that is faster than segments of a scan.

        Called by ``isthmus.slices.slice_reader``, each time, for sync databases that have no layer that handles scans:
        what the reader finds reaches callers as it is. It must give what scans give, so expired items are absent, and
        items that transactions of the core's hold are read through the database. The first plugin that returns a
        reader wins; ``None``, as for tables of other backends, leaves it to the next plugin and at last to segments.
        May raise any ``IsthmusError``.
        """

    # ---- dumps ----

    @hookspec(firstresult=True)
    def isthmus_dump_format(self, name: str) -> DumpFormat | None:
        """Offer a format of files that the tools of the plugin's own store write and read.

        Called by ``isthmus.dumps.dump_format``, each time, for the one plugin that it names; ``None`` means that the
        plugin knows no such format. Must not raise.
        """

    # ---- transactions ----

    @hookspec
    def isthmus_transaction_committed(self, transaction: TransactWrite, result: TransactWriteResult) -> None:
        """Observe a transaction that was applied, that of a unit of work included.

        Called once for each, after its ``isthmus_operation_completed``. A unit of work that wrote nothing is a
        transaction of checks, or none where a single read is all there was.
        """

    @hookspec
    def isthmus_transaction_rolled_back(self, transaction: TransactWrite, error: IsthmusError) -> None:
        """Observe a transaction that failed.

        Called once for each, after its ``isthmus_operation_failed``. ``error.maybe_applied`` tells when the outcome is
        unknown; reasons that are ``Conflict`` tell that other writers were in the way. Also called for a unit of work
        whose body raised, or which is too large: ``transaction`` then holds what had been asked for and was never
        sent, and ``error`` is what was raised, or ``RolledBack`` where that was no ``IsthmusError``.
        """

    # ---- errors ----

    @hookspec(firstresult=True)
    def isthmus_translate_error(self, error: Exception, operation: Operation) -> IsthmusError | None:
        """Turn a native exception of a backend into an error of the tree.

        Called for each attempt that raised something else than an ``IsthmusError``, before the backend's own
        translation. The first plugin that returns an error wins. Must not raise.
        """

    @hookspec(firstresult=True)
    def isthmus_decide_retry(self, attempt: Attempt) -> float | None:
        """Decide whether a failed attempt is repeated.

        Called after each failed attempt that is safe to repeat. Return seconds to wait, a negative number to give up,
        or ``None`` to leave the decision to the next plugin and at last to the database's retry policy. Must not raise.
        """

    @hookspec
    def isthmus_operation_retried(self, attempt: Attempt) -> None:
        """Observe that an attempt failed and will be repeated. Called once for each repetition, before the wait."""

    @hookspec
    def isthmus_operation_failed(self, outcome: Outcome) -> None:
        """Observe an operation that failed, those included that a layer or the backend refused.

        Called once for each, when no retry is left; also when a layer raised a foreign exception, and when the caller
        was cancelled (the outcome's ``maybe_applied`` then says whether something may have been written). A call whose
        arguments mean nothing valid never becomes an operation, so it is not observed.
        """

    # ---- metrics and health ----

    @hookspec
    def isthmus_record_metric(self, metric: Metric) -> None:
        """Observe one measurement. Labels never hold keys, values or names of callers."""

    @hookspec
    def isthmus_describe_metrics(self) -> Sequence[MetricDescription]:
        """Describe the metrics that a plugin emits.

        Called by ``Database.describe_metrics``, each time; the core describes its own in the same way.
        """

    @hookspec
    def isthmus_check_health(self, database: DatabaseView) -> Sequence[HealthCheck]:
        """Report the health of what a plugin depends on.

        Called by ``Database.health`` and ``isthmus doctor``, each time. A plugin that raises counts as one failed
        check.
        """
