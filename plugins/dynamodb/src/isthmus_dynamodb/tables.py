"""Creating, describing, listing and dropping tables: plans that wait until what they did can be seen."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Final

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import AlreadyExists, InvalidArgument, Unavailable
from isthmus.slices import AskFacts, Facts
from isthmus.values import check_table_name
from isthmus_dynamodb.declarations import Declarations, tags_of
from isthmus_dynamodb.descriptions import building_indexes, creation, described_table
from isthmus_dynamodb.failures import IN_USE, INVALID, NOT_FOUND
from isthmus_dynamodb.known_tables import KnownTables, table_not_found
from isthmus_dynamodb.names import HIDDEN, TableNames
from isthmus_dynamodb.native import Json, Request, ServiceError
from isthmus_dynamodb.table_settings import TableSettings
from isthmus_dynamodb.waiting import patiently, pause, pauses

Described = Generator[Any, Any, Mapping[str, Any] | None]

_USABLE: Final = frozenset({"ACTIVE", "UPDATING"})
_COMING: Final = "CREATING"
_GOING: Final = "DELETING"
_SERVER_ERROR: Final = 500


class Tables:
    """Plans the operations on tables.

    :param known: told when a table goes
    """

    def __init__(self, names: TableNames, settings: TableSettings, known: KnownTables) -> None:
        self._names = names
        self._settings = settings
        self._known = known
        self._declarations = Declarations(names)

    # ---- create ----

    def create(self, operation: op.CreateTable) -> Generator[Any, Any, res.TableResult]:
        """Create a table with its indexes and its expiry, and wait until it can be used."""
        table = operation.table
        description = yield from self._create(operation)
        if description["TableStatus"] != "ACTIVE" or building_indexes(description):
            description = yield from self._until_ready(operation, table.name, with_indexes=True)
        yield from self._enable_expiry(operation)
        yield from self._declarations.keep(operation, table, description)
        self._known.forget(table.name)
        return res.TableResult(table)

    def _create(self, operation: op.CreateTable) -> Generator[Any, Any, Mapping[str, Any]]:
        table = operation.table
        parameters = creation(table, self._names.native(table.name), self._settings)
        tags = tags_of(table)
        request = Request("CreateTable", {**parameters, "Tags": tags} if tags else parameters)
        doubt: ServiceError | None = None
        while True:
            try:
                answer = yield request
            except ServiceError as error:
                if doubt is not None:
                    raise doubt from error
                if error.code == IN_USE:
                    yield from self._free_name(operation, error)
                elif error.status < _SERVER_ERROR or (yield from self._describe(table.name)) is not None:
                    raise
                else:  # One name has one table at most, so a second request can't make another.
                    doubt = error
            else:
                description: Mapping[str, Any] = answer["TableDescription"]
                return description

    def _free_name(self, operation: op.CreateTable, in_use: ServiceError) -> Generator[Any, Any, None]:
        """Wait for a table of the same name to go, if it is going."""
        name = operation.table.name
        description = yield from self._describe(name)
        if description is not None and description["TableStatus"] != _GOING:
            raise AlreadyExists(f"table {name!r} exists already: use ensure() to accept it") from in_use
        yield from self._until_gone(operation, name)

    def _enable_expiry(self, operation: op.CreateTable) -> Generator[Any, Any, None]:
        table = operation.table
        if table.ttl is None:
            return
        specification = {"Enabled": True, "AttributeName": table.ttl}
        parameters = {"TableName": self._names.native(table.name), "TimeToLiveSpecification": specification}
        try:
            yield from patiently(operation, Request("UpdateTimeToLive", parameters))
        except ServiceError as error:
            # An attempt whose answer was lost may have done it.
            if error.code != INVALID or (yield from self._expiry(table.name)) != table.ttl:
                raise

    # ---- describe and list ----

    def describe(self, operation: op.DescribeTable) -> Generator[Any, Any, res.TableResult]:
        """A table as it is stored; one that is just being created is waited for."""
        name = operation.name
        description = yield from self._existing(name)
        if description["TableStatus"] not in _USABLE:
            description = yield from self._until_ready(operation, name)
        facts = yield from self._declarations.recall(name, description)
        ttl = yield from self._expiry(name)
        return res.TableResult(described_table(name, description, facts if ttl is None else {**facts, "ttl": ttl}))

    def facts(self, operation: AskFacts) -> Generator[Any, Any, Facts]:
        """What the service counted, within the last six hours or so.

        Nothing is no news: so it is with a new table, and where nobody counts.
        """
        description = yield from self._existing(operation.table.name)
        items, size = description.get("ItemCount", 0), description.get("TableSizeBytes", 0)
        return Facts(items, size) if items else Facts()

    def list(self, _operation: op.ListTables) -> Generator[Any, Any, res.TablesResult]:
        """The names of all tables behind the prefix, but for the backend's own and those that can't be declared."""
        found: list[str] = []
        parameters: Json = {}
        while True:
            answer = yield Request("ListTables", parameters)
            names = map(self._names.portable, answer["TableNames"])
            found += [name for name in names if name is not None and name not in HIDDEN and _can_be_declared(name)]
            if "LastEvaluatedTableName" not in answer:
                return res.TablesResult(sorted(found))
            parameters = {"ExclusiveStartTableName": answer["LastEvaluatedTableName"]}

    # ---- drop ----

    def drop(self, operation: op.DropTable) -> Generator[Any, Any, res.DropResult]:
        """Remove a table, and wait until it is gone."""
        name = operation.name
        try:
            yield Request("DeleteTable", {"TableName": self._names.native(name)})
        except ServiceError as error:
            if error.code == NOT_FOUND:
                raise table_not_found(name) from error
            if error.code != IN_USE:
                raise
            yield from self._drop_when_idle(operation)
        yield from self._until_gone(operation, name)
        self._known.forget(name)
        yield from self._declarations.forget(name)
        return res.DropResult()

    def _drop_when_idle(self, operation: op.DropTable) -> Generator[Any, Any, None]:
        """Delete a table that was being created or changed, unless it is going already."""
        description = yield from self._describe(operation.name)
        if description is None or description["TableStatus"] == _GOING:
            return
        yield from self._until_ready(operation, operation.name, with_indexes=True)
        yield Request("DeleteTable", {"TableName": self._names.native(operation.name)})

    # ---- looking and waiting ----

    def _describe(self, name: str) -> Described:
        try:
            description: Json = (yield Request("DescribeTable", {"TableName": self._names.native(name)}))["Table"]
        except ServiceError as error:
            if error.code != NOT_FOUND:
                raise
            return None
        return description

    def _existing(self, name: str) -> Generator[Any, Any, Mapping[str, Any]]:
        description = yield from self._describe(name)
        if description is None or description["TableStatus"] == _GOING:
            raise table_not_found(name)
        return description

    def _expiry(self, name: str) -> Generator[Any, Any, str | None]:
        """The attribute by which items expire."""
        answer = yield Request("DescribeTimeToLive", {"TableName": self._names.native(name)})
        expiry = answer["TimeToLiveDescription"]
        attribute: str | None = expiry.get("AttributeName")
        return attribute if expiry["TimeToLiveStatus"] in ("ENABLED", "ENABLING") else None

    def _until_ready(
        self, operation: op.Operation, name: str, *, with_indexes: bool = False
    ) -> Generator[Any, Any, Mapping[str, Any]]:
        """Wait until a table can be used, and perhaps all of its indexes.

        :raises Unavailable: it is in a state that waiting does not end
        """
        request = Request("DescribeTable", {"TableName": self._names.native(name)})
        for seconds in pauses():
            description: Json = (yield from patiently(operation, request))["Table"]
            status = description["TableStatus"]
            if status == "ACTIVE" and not (with_indexes and building_indexes(description)):
                break
            if status not in (_COMING, "UPDATING", "ACTIVE"):
                raise Unavailable(f"table {name!r} can't be used while it is {status}", retryable=False)
            yield from pause(operation, seconds)
        return description

    def _until_gone(self, operation: op.Operation, name: str) -> Generator[Any, Any, None]:
        for seconds in pauses():
            if (yield from self._describe(name)) is None:
                return
            yield from pause(operation, seconds)


def _can_be_declared(name: str) -> bool:
    try:
        check_table_name(name)
    except InvalidArgument:
        return False
    return True
