"""Paging: pages, order, cursors and reading while others write."""

from __future__ import annotations

from isthmus_conformance.suites.cursors import CursorSuite, MovingDataSuite
from isthmus_conformance.suites.order import OrderSuite
from isthmus_conformance.suites.pages import PageSuite, ReadSuite
from isthmus_conformance.suites.paging_machine import PagingMachineSuite


class PagingSuite(PageSuite, ReadSuite, OrderSuite, CursorSuite, MovingDataSuite, PagingMachineSuite):
    """Queries and scans."""
