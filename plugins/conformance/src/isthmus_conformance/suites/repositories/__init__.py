"""Repositories: classes instead of dictionaries, with the same answers on every backend (rules REP-1 to REP-12)."""

from __future__ import annotations

from isthmus_conformance.suites.repositories.declaring import DeclaringSuite
from isthmus_conformance.suites.repositories.entities import EntitySuite
from isthmus_conformance.suites.repositories.querying import QueryingSuite
from isthmus_conformance.suites.repositories.saving import SavingSuite
from isthmus_conformance.suites.repositories.unique import UniqueSuite
from isthmus_conformance.suites.repositories.units import UnitSuite


class RepositoriesSuite(EntitySuite, SavingSuite, UniqueSuite, UnitSuite, QueryingSuite, DeclaringSuite):
    """All of it."""
