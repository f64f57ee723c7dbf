"""Queries and scans."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from isthmus.errors import InvalidCursor
from isthmus.operations import Query, Scan
from isthmus.pages import used_index
from isthmus.planned import Plan
from isthmus.results import Page
from isthmus_dynamodb.failures import INVALID
from isthmus_dynamodb.key_conditions import matches_nothing
from isthmus_dynamodb.native import ServiceError
from isthmus_dynamodb.paging import Pager, count_page
from isthmus_dynamodb.query_requests import query_requests
from isthmus_dynamodb.refusals import look_again
from isthmus_dynamodb.service import Service


def query(operation: Query, service: Service) -> Plan:
    """A page of one partition, of the table or of an index."""
    if matches_nothing(operation):
        return Page()
    index = used_index(operation)
    if not service.known.accepts(operation.table, index):
        yield from service.known.check(operation.table)
        if index is not None:
            yield from service.known.check_index(operation.table, index)
    return (yield from _read(operation, service))


def scan(operation: Scan, service: Service) -> Plan:
    """A page of a table, or of one of its segments."""
    yield from service.admit(operation.table)
    return (yield from _read(operation, service))


def _read(operation: Query | Scan, service: Service) -> Plan:
    now = service.clock()
    requests = query_requests(operation, service.table(operation.table), now)
    plan = count_page(operation, requests) if requests.counts else Pager(operation, requests, now).plan()
    try:
        return (yield from plan)
    except ServiceError as error:
        yield from _look_again(error, operation, service)
        raise


def _look_again(error: ServiceError, operation: Query | Scan, service: Service) -> Generator[Any, Any, None]:
    """Find out why the service refused: the table or the index may have changed since they were met.

    :raises InvalidCursor: they have not, so it must be the start
    """
    yield from look_again(error, (operation.table,), service)
    index = used_index(operation)
    if index is not None and (
        error.code == INVALID or error.status >= 500
    ):  # HTTP; DynamoDB Local says so of a new index
        service.known.forget(operation.table.name)
        yield from service.known.check_index(operation.table, index)
    if error.code == INVALID and operation.start is not None:
        raise InvalidCursor("the service does not accept this position: begin again without a cursor") from error
