"""What a query or a scan asks the service for, and what is left to judge here.

The service applies as much of a condition as it can. Left are conditions on the keys that a query reads, which it
refuses (rule QRY-7), constant ones on an index that does not hold whole items, whole conditions that are too long for
it (rule SIZ-5), and those of a page that counts what it examines (rule QRY-2).
"""

from __future__ import annotations

from typing import Final

from attrs import frozen
from orjson import dumps

from isthmus.errors import InvalidArgument
from isthmus.expressions import Condition, all_of, attributes_used, split_conjuncts
from isthmus.operations import KeyRange, Paged, Query, Scan
from isthmus.pages import position_names, used_index, visible_names
from isthmus.schema import Table
from isthmus_dynamodb.conditions import AND, condition_text, fits, names_hidden, visible_text
from isthmus_dynamodb.key_conditions import key_condition, queried_keys
from isthmus_dynamodb.native import Json
from isthmus_dynamodb.placeholders import Placeholders
from isthmus_dynamodb.projections import projection_text

# DynamoDB Local takes about 1 MB of values in one request, the service 2 MB.
_VALUES_MOST: Final = 900_000
# As many placeholders as fit an expression.
_NAMES_MOST: Final = 500

Parts = tuple[Condition | None, Condition | None]


@frozen
class QueryRequests:
    """The requests of one query or scan, but for page sizes and start keys.

    :param action: ``"Query"`` or ``"Scan"``
    :param remaining: the condition that is left to judge
    :param within: the sort key and the range that items are to be in, where the service can't say that
    :param judges_expiry: whether expired items may come
    :param filtered: whether the service may examine many items for each that it gives
    :param counts: whether the service's own count is the answer, and no items come
    """

    action: str
    parameters: Json
    remaining: Condition | None
    within: tuple[str, KeyRange] | None
    judges_expiry: bool
    filtered: bool
    counts: bool


def query_requests(operation: Query | Scan, native_name: str, now: float) -> QueryRequests:
    """Plan a query or scan.

    :raises InvalidArgument: it needs attributes that its index does not hold
    """
    _check_held(operation)
    asked, remaining = _split(operation)
    if asked is not None and not _takes(operation.table, asked, now):
        asked, remaining = None, operation.condition
    placeholders = Placeholders()
    parameters: Json = {"TableName": native_name}
    within = _keys(operation, parameters, placeholders)
    judges_expiry = _judges_expiry(operation)
    text = _filter(None if judges_expiry else operation.table, asked, now, placeholders)
    if text:
        parameters["FilterExpression"] = text
    counts = _is_free_count(operation) and remaining is None and within is None and not judges_expiry
    if counts:
        parameters["Select"] = "COUNT"
    elif operation.select == "count" or operation.projection is not None:
        _project(operation, remaining, parameters, placeholders)
    parameters |= placeholders.parameters()
    action = "Query" if isinstance(operation, Query) else "Scan"
    return QueryRequests(action, parameters, remaining, within, judges_expiry, operation.condition is not None, counts)


def _is_free_count(operation: Paged) -> bool:
    guards = (operation.limit, operation.max_examined, operation.max_bytes)
    return operation.select == "count" and all(guard is None for guard in guards)


def _filter(table: Table | None, asked: Condition | None, now: float, placeholders: Placeholders) -> str:
    """``FilterExpression``: what hides expired items, and a condition."""
    expiry = None if table is None else visible_text(table, now, placeholders)
    condition = None if asked is None else condition_text(asked, placeholders, AND if expiry else 0)
    return " AND ".join(filter(None, (expiry, condition)))


def _takes(table: Table, asked: Condition, now: float) -> bool:
    """Whether the service takes a filter: its text is short, and its values are small."""
    placeholders = Placeholders()
    text = _filter(table, asked, now, placeholders)
    return fits(text) and len(dumps(placeholders.parameters())) <= _VALUES_MOST


# ---- what is read ----


def _keys(operation: Query | Scan, parameters: Json, placeholders: Placeholders) -> tuple[str, KeyRange] | None:
    """Say which keys are read; the answer is what has to be dropped."""
    if isinstance(operation, Scan):
        parameters["ConsistentRead"] = operation.consistent
        if operation.segments > 1:
            parameters |= {"Segment": operation.segment, "TotalSegments": operation.segments}
        return None
    parameters["ScanIndexForward"] = operation.forward
    if operation.index is None:
        parameters["ConsistentRead"] = operation.consistent
    else:
        parameters["IndexName"] = operation.index
    condition = key_condition(operation, placeholders)
    parameters["KeyConditionExpression"] = condition.text
    return None if condition.within is None else (queried_keys(operation)[1].name, condition.within)


def _project(
    operation: Query | Scan, remaining: Condition | None, parameters: Json, placeholders: Placeholders
) -> None:
    """Ask for whole top-level attributes: those that are wanted, and those that something is judged by."""
    wanted = [] if operation.select == "count" else [str(path[0]) for path in operation.projection or ()]
    used = () if remaining is None else attributes_used(remaining)
    ttl = (operation.table.ttl,) if operation.table.ttl is not None and holds_expiry(operation) else ()
    names = dict.fromkeys((*position_names(operation.table, used_index(operation)), *wanted, *sorted(used), *ttl))
    if len(names) <= _NAMES_MOST:
        parameters["ProjectionExpression"] = projection_text([(name,) for name in names], placeholders)


# ---- what is judged where ----


def _split(operation: Query | Scan) -> Parts:
    """The condition as what the service applies and what is left."""
    if operation.condition is None or operation.max_examined is not None:
        return None, operation.condition
    if isinstance(operation, Scan):
        return operation.condition, None
    refused = {key.name for key in queried_keys(operation)}
    index = used_index(operation)
    narrow = index is not None and visible_names(operation.table, index) is not None
    asked: list[Condition] = []
    left: list[Condition] = []
    for conjunct in split_conjuncts(operation.condition):
        judged = attributes_used(conjunct) & refused or (narrow and names_hidden(conjunct))
        (left if judged else asked).append(conjunct)
    return (all_of(asked) if asked else None), (all_of(left) if left else None)


def _judges_expiry(operation: Query | Scan) -> bool:
    """Whether the service can't hide expired items: it refuses a filter on the keys that are read."""
    ttl = operation.table.ttl
    if ttl is None or isinstance(operation, Scan):
        return False
    return not holds_expiry(operation) or ttl in (key.name for key in queried_keys(operation))


def holds_expiry(operation: Paged) -> bool:
    """Whether what is read holds the attribute by which items expire, if they do."""
    if operation.table.ttl is None:
        return True
    index = used_index(operation)
    held = None if index is None else visible_names(operation.table, index)
    return held is None or operation.table.ttl in held


def _check_held(operation: Query | Scan) -> None:
    index = used_index(operation)
    held = None if index is None else visible_names(operation.table, index)
    if index is None or held is None:
        return
    used = () if operation.condition is None else attributes_used(operation.condition)
    missing = sorted({*used, *(str(path[0]) for path in operation.projection or ())} - held)
    if missing:
        raise InvalidArgument(f"index {index.name!r} does not hold {missing[0]!r}: read the table or widen the index")
