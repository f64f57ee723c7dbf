"""An opened database without its surface: plugins, backend, layers and chains, the same for sync and async."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import urlsplit

from attrs import frozen
from cattrs import Converter

from isthmus.backends import Backend, BackendConfig
from isthmus.capabilities import Capabilities, Limits
from isthmus.config import Settings, active_plugins
from isthmus.config.sources import FALLBACK_SECTION
from isthmus.dispatch import Dispatcher
from isthmus.errors import BackendError, Closed, IsthmusError, PluginError
from isthmus.guarding import aguarded, guarded, refused_for
from isthmus.health import Health, HealthCheck
from isthmus.layers import AsyncStep, Layer, Step, acompose, arrange, compose
from isthmus.leftovers import Leftovers
from isthmus.logs import log_failure
from isthmus.metrics import CORE_METRICS, MetricDescription
from isthmus.observing import Observers, aobserved, notify, observed
from isthmus.observing import implementations as hook_implementations
from isthmus.operations import OPERATIONS, Context, ListTables, Operation, Resolve, Scan
from isthmus.plugins import BACKENDS, Manager, build_manager, load
from isthmus.redaction import redacted_url
from isthmus.results import Result
from isthmus.retries import RetryDecision
from isthmus.types import new_converter
from isthmus.validation import ValidationLayer

if TYPE_CHECKING:
    from isthmus.database import Database
    from isthmus.fallback.backend import FallbackBackend
    from isthmus.schema import Table
    from isthmus.slices import SliceReader

Clock = Callable[[], float]


class _ClosedChains(dict[type[Operation], Any]):
    """Takes the place of the chains, so that an open database pays nothing for the check (rule TAB-7)."""

    def __missing__(self, _kind: type[Operation]) -> NoReturn:
        raise Closed("the database was closed: connect again")


@frozen
class Explanation:
    """A composed stack, outer to inner."""

    url: str
    backend: str
    plugins: tuple[str, ...]
    layers: tuple[tuple[str, str, tuple[str, ...]], ...]

    def __str__(self) -> str:
        lines = [f"{stage:<10} {name:<20} {', '.join(kinds)}" for name, stage, kinds in self.layers]
        lines.append(f"{'DISPATCH':<10} {'core':<20} errors, retries, deadline, outcome")
        lines.append(f"{'BACKEND':<10} {self.backend:<20} {self.url}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The stack as JSON-ready data."""
        layers = [{"name": name, "stage": stage, "handles": list(kinds)} for name, stage, kinds in self.layers]
        return {"url": self.url, "backend": self.backend, "plugins": list(self.plugins), "layers": layers}


class Pipeline:
    """Backend, layers and chains. It is frozen once open, but for closing."""

    def __init__(self, settings: Settings, manager: Manager, backend: Backend, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.manager = manager
        self.fallback = _fallback(backend, settings, clock)
        self._driven = backend
        self.backend = self.fallback or backend
        self.url = redacted_url(settings.url)
        self.capabilities: Capabilities = self.backend.capabilities
        self.limits: Limits = backend.limits
        self.converter: Converter = new_converter()
        self.layers: tuple[Layer, ...] = ()
        # The classes that repositories were asked for; see ``isthmus.repository.registry``.
        self.registry: Any = None
        self.closed = False
        self.chains: Mapping[type[Operation], Step] = {}
        self.achains: Mapping[type[Operation], AsyncStep] = {}

    @property
    def backend_name(self) -> str:
        """The backend's name."""
        return self.backend.name

    def compose(self) -> None:
        """Ask plugins for their layers and types, and build the chains."""
        self.manager.hook.isthmus_register_types(converter=self.converter)
        given = [layer for layers in self.manager.hook.isthmus_layers(database=self) for layer in _sequence(layers)]
        self.layers = arrange([ValidationLayer(self.clock, self.limits), *given])
        for layer in reversed(self.layers):
            self.capabilities = layer.capabilities(self.capabilities)
        self._build_chains()
        self.manager.hook.isthmus_database_opened(database=self)
        self.manager.freeze()

    def _build_chains(self) -> None:
        observers = self.observers = Observers(self.manager)
        self._driven.measure = observers.measure
        if self.fallback is not None:
            self.fallback.shared.measure = observers.measure
        retry, name = RetryDecision.of(self.settings.retry_policy), self.backend.name
        self._dispatcher = dispatcher = Dispatcher(self.backend, self.manager, observers, retry)
        layers = (*self.layers, Leftovers(retry, observers, name))
        chains: Mapping[type[Operation], Step] = compose(layers, dispatcher.execute)
        achains: Mapping[type[Operation], AsyncStep] = acompose(layers, dispatcher.aexecute)
        levels = {kind: refused_for(kind, self.capabilities) for kind in OPERATIONS}
        if self.fallback is not None:
            levels[Resolve] = {}  # transactions can always be resolved; the rest is refused by the backend
        guards = {kind: guarded(step, levels[kind], name) if levels[kind] else step for kind, step in chains.items()}
        aguards = {kind: aguarded(step, levels[kind], name) if levels[kind] else step for kind, step in achains.items()}
        self.chains = {kind: observed(guards[kind], kind, observers, name) for kind in OPERATIONS}
        self.achains = {kind: aobserved(aguards[kind], kind, observers, name) for kind in OPERATIONS}

    def execute(self, operation: Operation) -> Result:
        """Send one operation through all layers."""
        return self.chains[type(operation)](operation)

    async def aexecute(self, operation: Operation) -> Result:
        """The async twin of ``execute``."""
        return await self.achains[type(operation)](operation)

    def dispatch(self, operation: Operation) -> Result:
        """Send one operation to the backend beneath all layers; observers see it as any other."""
        return observed(self._dispatcher.execute, type(operation), self.observers, self.backend.name)(operation)

    async def adispatch(self, operation: Operation) -> Result:
        """The async twin of ``dispatch``."""
        return await aobserved(self._dispatcher.aexecute, type(operation), self.observers, self.backend.name)(operation)

    def offered_slice_reader(self, database: Database, table: Table) -> SliceReader | None:
        """What the plugins offer for reading a table; nothing where a layer handles scans."""
        if any(Scan in layer.handles for layer in self.layers):
            return None
        offered: SliceReader | None = self.manager.hook.isthmus_read_slices(database=database, table=table)
        return offered

    def explain(self) -> Explanation:
        """The composed stack."""
        layers = tuple(
            (layer.name, layer.stage.name, tuple(kind.kind for kind in layer.handles)) for layer in self.layers
        )
        plugins = tuple(sorted(name for name, _plugin in self.manager.list_name_plugin()))
        return Explanation(self.url, self.backend.name, plugins, layers)

    def describe_metrics(self) -> list[MetricDescription]:
        """The metrics of the core and of all plugins."""
        described = self.manager.hook.isthmus_describe_metrics()
        own = CORE_METRICS if self.fallback is None else (*CORE_METRICS, *self.fallback.metrics)
        return [*own, *(metric for metrics in described for metric in metrics)]

    # ---- health ----

    def backend_check(self, error: Exception | None, seconds: float) -> HealthCheck:
        """The check of the backend itself, from how listing its tables ended."""
        name = f"backend {self.backend.name}"
        if error is None:
            return HealthCheck(name, True, "answers", seconds)
        return HealthCheck(
            name, False, str(error) if isinstance(error, IsthmusError) else type(error).__name__, seconds
        )

    def health(self, backend_check: HealthCheck) -> Health:
        """The backend's check with those of all plugins."""
        checks = [backend_check]
        for plugin, function, wanted in hook_implementations(self.manager, "isthmus_check_health"):
            try:
                checks.extend(cast("Sequence[HealthCheck]", function(*[self] * len(wanted))))
            except Exception as error:
                log_failure(f"health check of plugin {plugin} failed", error)
                checks.append(HealthCheck(plugin, False, f"the check itself failed: {type(error).__name__}"))
        return Health(checks)

    def ping(self) -> ListTables:
        """The cheapest operation that reaches the store."""
        return ListTables(Context(deadline=time.monotonic() + 5.0))

    # ---- closing ----

    def shut(self) -> bool:
        """Stop accepting operations and tell the plugins; ``False`` when that was done before."""
        if self.closed:
            return False
        self.closed = True
        self.chains = _ClosedChains()
        self.achains = _ClosedChains()
        notify(hook_implementations(self.manager, "isthmus_database_closing"), self)
        return True


def _fallback(backend: Backend, settings: Settings, clock: Clock) -> FallbackBackend | None:
    """The core's transactions around a backend that has none, or none until lately, where it offers what they need."""
    if backend.item_store is None:
        return None
    from isthmus.fallback.backend import FallbackBackend, needs_fallback
    from isthmus.fallback.former import FormerFallbackBackend, holds_locks
    from isthmus.fallback.options import FallbackOptions

    former = holds_locks(backend)
    if not former and not needs_fallback(backend):
        return None
    options = settings.sections.get(FALLBACK_SECTION) or FallbackOptions()
    return (FormerFallbackBackend if former else FallbackBackend)(backend, backend.item_store, options, clock)


def _sequence(layers: object) -> Sequence[Any]:
    if isinstance(layers, list | tuple):
        return layers
    raise PluginError(f"isthmus_layers must return a list of layers, not {type(layers).__name__}")


def open_pipeline(settings: Settings, clock: Clock = time.time, given: Backend | None = None) -> Pipeline:
    """Make the plugins, open the backend and compose the layers.

    :param clock: seconds since the epoch; a backend that is open already and has a clock keeps its own
    :param given: a backend that is open already, in place of the URL's
    :raises PluginError: a plugin is missing, broken or refused
    """
    active = active_plugins(settings)
    if given is not None:
        return _composed(settings, build_manager(active), given, given.clock or clock)
    url = urlsplit(settings.url)
    opener = load(BACKENDS, url.scheme, settings.blocked)(settings.sections.get(url.scheme))
    manager = build_manager([opener, *active])
    config = BackendConfig(url, clock, settings.backend_options(url.scheme))
    return _composed(settings, manager, _opened(manager, config), clock)


def _opened(manager: Manager, config: BackendConfig) -> Backend:
    try:
        backend: Backend | None = manager.hook.isthmus_open_backend(config=config)
    except IsthmusError:
        raise
    except Exception as error:
        raise BackendError(f"{config.scheme}:// can't be opened ({type(error).__name__}): see the cause") from error
    if backend is None:
        raise BackendError(f"the plugin for {config.scheme}:// opened no backend: report this to its author")
    return backend


def _composed(settings: Settings, manager: Manager, backend: Backend, clock: Clock) -> Pipeline:
    pipeline = Pipeline(settings, manager, backend, clock)
    try:
        pipeline.compose()
    except BaseException:
        backend.close()
        raise
    return pipeline
