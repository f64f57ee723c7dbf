"""``BackendSuite``: every area of the contract in one class."""

from __future__ import annotations

from isthmus_conformance.suites.batch import BatchSuite
from isthmus_conformance.suites.capabilities import CapabilitiesSuite
from isthmus_conformance.suites.concurrency import ConcurrencySuite
from isthmus_conformance.suites.conditions import ConditionsSuite
from isthmus_conformance.suites.errors import ErrorsSuite
from isthmus_conformance.suites.indexes import IndexesSuite
from isthmus_conformance.suites.keys import KeysSuite
from isthmus_conformance.suites.life_cycle import LifeCycleSuite
from isthmus_conformance.suites.limits import LimitsSuite
from isthmus_conformance.suites.paging import PagingSuite
from isthmus_conformance.suites.repeats import RepeatSuite
from isthmus_conformance.suites.repositories import RepositoriesSuite
from isthmus_conformance.suites.resolving import ResolveSuite
from isthmus_conformance.suites.revisions import RevisionSuite
from isthmus_conformance.suites.transactions import TransactionsSuite
from isthmus_conformance.suites.ttl import TtlSuite
from isthmus_conformance.suites.unique_values import UniqueValuesSuite
from isthmus_conformance.suites.unit_of_work import UnitOfWorkSuite
from isthmus_conformance.suites.updates import UpdatesSuite
from isthmus_conformance.suites.values import ValuesSuite


class BackendSuite(
    ValuesSuite,
    KeysSuite,
    ConditionsSuite,
    UpdatesSuite,
    PagingSuite,
    IndexesSuite,
    BatchSuite,
    RepeatSuite,
    ResolveSuite,
    TransactionsSuite,
    RevisionSuite,
    UnitOfWorkSuite,
    TtlSuite,
    RepositoriesSuite,
    UniqueValuesSuite,
    ErrorsSuite,
    ConcurrencySuite,
    LifeCycleSuite,
    CapabilitiesSuite,
    LimitsSuite,
):
    """The whole contract. Inherit from it, and give it a fixture ``source``: a URL, or an opened backend object."""
