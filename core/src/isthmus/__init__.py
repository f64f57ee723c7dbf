"""Isthmus: one data-access API over DynamoDB, MongoDB, an embedded SQLite file, and backends of your own."""

from isthmus.async_database import AsyncBoundTable, AsyncDatabase, AsyncSelection, AsyncTables
from isthmus.backends import Backend, BackendConfig
from isthmus.capabilities import Capabilities, Capability, Emulated, Full, Limits, Support, Unsupported, Versioned
from isthmus.connecting import aconnect, connect
from isthmus.database import BoundTable, Database, Selection, Tables
from isthmus.errors import IsthmusError
from isthmus.expressions import F
from isthmus.hookspecs import hookimpl
from isthmus.layers import Blocking, Flow, Layer, Stage
from isthmus.plugins import Plugin
from isthmus.results import Page
from isthmus.retries import RetryPolicy
from isthmus.schema import Index, Key, Table

__version__ = "0.1.0"

__all__ = [
    "AsyncBoundTable",
    "AsyncDatabase",
    "AsyncSelection",
    "AsyncTables",
    "Backend",
    "BackendConfig",
    "Blocking",
    "BoundTable",
    "Capabilities",
    "Capability",
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
    "Page",
    "Plugin",
    "RetryPolicy",
    "Selection",
    "Stage",
    "Support",
    "Table",
    "Tables",
    "Unsupported",
    "Versioned",
    "aconnect",
    "connect",
    "hookimpl",
]
