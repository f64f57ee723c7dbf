"""Isthmus: one data-access API over embedded SQLite, memory and any backend shipped as a package.

Names are loaded when they are first used, so that a program pays only for the half, sync or async, that it works with.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.async_bound_table import AsyncBoundTable
    from isthmus.async_database import AsyncDatabase, AsyncTables
    from isthmus.async_selection import AsyncSelection
    from isthmus.backends import Backend, BackendConfig
    from isthmus.bound_table import BoundTable
    from isthmus.capabilities import Capabilities, Capability, Emulated, Full, Limits, Support, Unsupported, Versioned
    from isthmus.connecting import aconnect, connect
    from isthmus.dal.async_dal import AsyncDal
    from isthmus.dal.async_dal_base_class import AsyncDalBaseClass
    from isthmus.dal.dal import Dal
    from isthmus.dal.dal_base_class import DalBaseClass
    from isthmus.dal.hooks import DalHooks
    from isthmus.database import Database, Tables
    from isthmus.errors import IsthmusError
    from isthmus.expressions import F
    from isthmus.hookspecs import hookimpl
    from isthmus.layers import Blocking, Flow, Layer, Sleep, Stage
    from isthmus.plugins import Plugin
    from isthmus.repository.async_query import AsyncQuery
    from isthmus.repository.async_repository import AsyncRepository
    from isthmus.repository.model import Model
    from isthmus.repository.query import Query
    from isthmus.repository.repository import Repository
    from isthmus.results import Page
    from isthmus.retries import RetryPolicy
    from isthmus.schema import Index, Key, Table, Unique
    from isthmus.selection import Selection
    from isthmus.transactions.async_unit_of_work import AsyncUnitOfWork, AsyncUnitTable
    from isthmus.transactions.unit_of_work import UnitOfWork, UnitTable

__version__ = "0.1.0"

__all__ = [
    "AsyncBoundTable",
    "AsyncDal",
    "AsyncDalBaseClass",
    "AsyncDatabase",
    "AsyncQuery",
    "AsyncRepository",
    "AsyncSelection",
    "AsyncTables",
    "AsyncUnitOfWork",
    "AsyncUnitTable",
    "Backend",
    "BackendConfig",
    "Blocking",
    "BoundTable",
    "Capabilities",
    "Capability",
    "Dal",
    "DalBaseClass",
    "DalHooks",
    "Database",
    "Emulated",
    "F",
    "Flow",
    "Full",
    "Index",
    "IsthmusError",
    "Key",
    "Layer",
    "Limits",
    "Model",
    "Page",
    "Plugin",
    "Query",
    "Repository",
    "RetryPolicy",
    "Selection",
    "Sleep",
    "Stage",
    "Support",
    "Table",
    "Tables",
    "Unique",
    "UnitOfWork",
    "UnitTable",
    "Unsupported",
    "Versioned",
    "aconnect",
    "connect",
    "hookimpl",
]

_MODULES = {
    "async_bound_table": ("AsyncBoundTable",),
    "async_database": ("AsyncDatabase", "AsyncTables"),
    "async_selection": ("AsyncSelection",),
    "backends": ("Backend", "BackendConfig"),
    "bound_table": ("BoundTable",),
    "capabilities": (
        "Capabilities", "Capability", "Emulated", "Full", "Limits", "Support", "Unsupported", "Versioned",
    ),
    "connecting": ("aconnect", "connect"),
    "dal.async_dal": ("AsyncDal",),
    "dal.async_dal_base_class": ("AsyncDalBaseClass",),
    "dal.dal": ("Dal",),
    "dal.dal_base_class": ("DalBaseClass",),
    "dal.hooks": ("DalHooks",),
    "database": ("Database", "Tables"),
    "errors": ("IsthmusError",),
    "expressions": ("F",),
    "hookspecs": ("hookimpl",),
    "layers": ("Blocking", "Flow", "Layer", "Sleep", "Stage"),
    "plugins": ("Plugin",),
    "repository.async_query": ("AsyncQuery",),
    "repository.async_repository": ("AsyncRepository",),
    "repository.model": ("Model",),
    "repository.query": ("Query",),
    "repository.repository": ("Repository",),
    "results": ("Page",),
    "retries": ("RetryPolicy",),
    "schema": ("Index", "Key", "Table", "Unique"),
    "selection": ("Selection",),
    "transactions.async_unit_of_work": ("AsyncUnitOfWork", "AsyncUnitTable"),
    "transactions.unit_of_work": ("UnitOfWork", "UnitTable"),
}  # fmt: skip
_PLACES = {name: module for module, names in _MODULES.items() for name in names}
# Reached as attributes, `isthmus.errors.ConditionFailed` say, without an import of their own.
_SUBMODULES = frozenset({*_MODULES, "evaluate", "operations", "repository", "values"})


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"isthmus.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module 'isthmus' has no attribute {name!r}")
    found = getattr(import_module(f"isthmus.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
