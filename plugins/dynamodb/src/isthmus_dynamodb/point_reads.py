"""Reads of single items."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from isthmus import operations as op
from isthmus.errors import InvalidArgument
from isthmus.evaluate import project
from isthmus.expressions import Path
from isthmus.operation_ids import floor
from isthmus.planned import Plan
from isthmus.results import GetResult, ResolveResult
from isthmus.schema import Table
from isthmus.values import Item
from isthmus.writes import visible
from isthmus_dynamodb.conditions import fits
from isthmus_dynamodb.failures import INVALID
from isthmus_dynamodb.fences import stored_id
from isthmus_dynamodb.native import Json, Request, ServiceError
from isthmus_dynamodb.placeholders import Placeholders
from isthmus_dynamodb.projections import projection_text, with_attribute
from isthmus_dynamodb.refusals import look_again
from isthmus_dynamodb.revisions import revision_of
from isthmus_dynamodb.service import Service
from isthmus_dynamodb.values import Attributes, decode_item, encode_item


def get(operation: op.Get, service: Service) -> Plan:
    """One item."""
    table = operation.table
    if not service.known.accepts(table):
        yield from service.known.check(table)
    try:
        answer = yield Request("GetItem", get_parameters(operation, service))
    except ServiceError as error:
        yield from look_again(error, (table,), service)
        raise
    if operation.revision:
        return seen_item(operation, answer.get("Item"), service)
    return GetResult(found_item(operation, answer.get("Item"), service))


def get_parameters(operation: op.Get, service: Service) -> Json:
    """The parameters of ``GetItem``."""
    parameters: Json = {"TableName": service.table(operation.table), "Key": encode_item(operation.key)}
    if operation.consistent:
        parameters["ConsistentRead"] = True
    if operation.projection is not None and not operation.revision:
        parameters.update(projected(operation.projection, operation.table))
    return parameters


def projected(paths: tuple[Path, ...], table: Table, *names: str) -> Json:
    """The parameters of a projection that also holds some whole attributes: the expiry time, and ``names``.

    One that is too long asks for whole top-level attributes, or for the whole item: more may come than is wanted.
    """
    for name in names if table.ttl is None else (*names, table.ttl):
        paths = with_attribute(paths, name)
    for asked in (paths, tuple(dict.fromkeys((str(path[0]),) for path in paths))):
        placeholders = Placeholders()
        text = projection_text(asked, placeholders)
        if fits(text):
            return {"ProjectionExpression": text, **placeholders.parameters()}
    return {}


def found_item(operation: op.Get | op.GetMany, attributes: Attributes | None, service: Service) -> Item | None:
    """What an operation answers with for stored attributes; ``None`` if they are missing or expired."""
    if attributes is None:
        return None
    item = decode_item(attributes)
    if operation.table.ttl is None and operation.projection is None:
        return item
    if visible(operation.table, item, service.clock()) is None:
        return None
    return item if operation.projection is None else project(item, operation.projection)


def seen_item(operation: op.Get, stored: Attributes | None, service: Service) -> GetResult:
    """What a read answers with that asks for the revision, which is of the whole item."""
    whole = None if stored is None else visible(operation.table, decode_item(stored), service.clock())
    paths, revision = operation.projection, revision_of(stored, whole)
    return GetResult(whole if whole is None or paths is None else project(whole, paths), revision)


def read_stored(table: Table, key: op.ItemKey, service: Service) -> Generator[Any, Any, Attributes | None]:
    """The attributes of one item as they are stored, expired or not."""
    parameters = {"TableName": service.table(table), "Key": encode_item(table.key_of(key)), "ConsistentRead": True}
    try:
        answer = yield Request("GetItem", parameters)
    except ServiceError as error:
        yield from look_again(error, (table,), service)
        raise
    found: Attributes | None = answer.get("Item")
    return found


def resolve(operation: op.Resolve, service: Service) -> Plan:
    """What became of an identified write, told by the id in its item.

    An item without one tells nothing: a plain put or a batch may have covered the write.
    """
    name = service.names.native(operation.table_name)
    parameters = {"TableName": name, "Key": encode_item(operation.key), "ConsistentRead": True}
    try:
        answer = yield Request("GetItem", parameters)
    except ServiceError as error:
        if error.code != INVALID:
            raise
        raise InvalidArgument("the operation id names another key than the table has: was it made anew?") from error
    found = stored_id(answer.get("Item"))
    if found == operation.operation_id:
        return ResolveResult("applied")
    return ResolveResult("not_applied" if found is not None and found < floor(operation.operation_id) else "unknown")
