"""What is looked at again when the service refuses a request: a table may have gone or changed since it was met."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from isthmus.schema import Table
from isthmus_dynamodb.failures import INVALID, NOT_FOUND
from isthmus_dynamodb.native import ServiceError
from isthmus_dynamodb.service import Service


def look_again(error: ServiceError, tables: Iterable[Table], service: Service) -> Generator[Any, Any, None]:
    """Compare the tables of a refused request with the stored ones once more.

    :raises TableNotFound: one of them is gone
    :raises SchemaMismatch: one of them has another key now
    """
    if error.code in (INVALID, NOT_FOUND):
        for table in tables:
            service.known.forget(table.name)
            yield from service.known.check(table)
