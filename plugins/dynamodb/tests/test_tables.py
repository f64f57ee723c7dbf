"""Creating, describing, listing and dropping: what the service is told, and what is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus import F, Index, Table
from isthmus.errors import AlreadyExists, DeadlineExceeded, InvalidArgument, TableNotFound, Unavailable
from isthmus.operations import Context, CreateTable, DescribeTable, DropTable
from isthmus_dynamodb.declarations import parts_from, parts_of, tags_of
from isthmus_dynamodb.known_tables import KnownTables
from isthmus_dynamodb.names import TableNames
from isthmus_dynamodb.native import AnswerLost, Json, Pause, Request, ServiceError
from isthmus_dynamodb.table_settings import TableSettings
from isthmus_dynamodb.tables import Tables
from plugins.dynamodb.tests.stored import Store, carried_out, open_store, refusal

BY_DAY = Index("by-day", "id", "day")
EVENTS = Table("events", "id", "at", [BY_DAY])
GONE = refusal("ResourceNotFoundException")
IN_USE = refusal("ResourceInUseException")


@pytest.fixture
def store(dynamodb_url: str) -> Iterator[Store]:
    """A database on DynamoDB Local."""
    with open_store(dynamodb_url) as opened:
        yield opened


def status(table: str = "ACTIVE", **indexes: str) -> Json:
    """A description of the table ``events`` with indexes in these states."""
    return {
        "TableName": "events", "TableStatus": table, "TableArn": "arn", "CreationDateTime": 1.0,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "GlobalSecondaryIndexes": [
            {"IndexName": name, "IndexStatus": state, "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
             "Projection": {"ProjectionType": "ALL"}}
            for name, state in indexes.items()
        ],
    }  # fmt: skip


def tables() -> Tables:
    """Plans of tables, with nothing behind them."""
    names = TableNames()
    return Tables(names, TableSettings(), KnownTables(names))


def create(table: Table = EVENTS, deadline: float | None = None) -> CreateTable:
    """The operation that creates a table."""
    return CreateTable(Context(deadline=deadline), table)


def actions(asked: list[Request | Pause]) -> list[str]:
    """What was asked, without the pauses."""
    return [request.action for request in asked if isinstance(request, Request)]


class TestOnDynamoDBLocal:
    """What the service makes of it."""

    def test_indexes_are_global_and_capacity_is_on_demand_by_default(self, store: Store) -> None:
        """Also an index that shares the table's partition key."""
        store.database.tables.create(EVENTS)
        made = store.describe("events")
        assert [index["IndexName"] for index in made["GlobalSecondaryIndexes"]] == ["by-day"]
        assert "LocalSecondaryIndexes" not in made
        assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"

    @pytest.mark.parametrize("named", [("by-day",), ("other", "events.by-day")])
    def test_an_index_is_local_where_the_options_say_so(self, dynamodb_url: str, named: tuple[str, ...]) -> None:
        """By its name, or by the table's and its own; the declaration stays the same."""
        with open_store(dynamodb_url, local_indexes=named) as store:
            table = store.database.tables.create(EVENTS)
            made = store.describe("events")
            assert [index["IndexName"] for index in made["LocalSecondaryIndexes"]] == ["by-day"]
            assert "GlobalSecondaryIndexes" not in made
            table.put({"id": "x", "at": "1", "day": "mo"})
            assert table.query(id="x", index="by-day").where(F.day == "mo").count() == 1
            assert store.database.tables.describe("events") == EVENTS

    @pytest.mark.parametrize(
        "table",
        [
            Table("events", "id", "at", [Index("by-day", "day", "id")]),
            Table("events", "id", None, [BY_DAY]),
            Table("events", "id", "at", [Index("by-day", "id")]),
        ],
        ids=["another partition key", "a table without a sort key", "an index without a sort key"],
    )
    def test_an_index_that_can_not_be_local_is_refused(self, dynamodb_url: str, table: Table) -> None:
        """InvalidArgument that names it; nothing is sent."""
        with open_store(dynamodb_url, local_indexes=("by-day",)) as store:
            with pytest.raises(InvalidArgument, match="'by-day'"):
                store.database.tables.create(table)
            assert store.recorder.actions == []

    def test_provisioned_capacity(self, dynamodb_url: str) -> None:
        """Of the table and of each global index."""
        with open_store(dynamodb_url, billing="provisioned", read_units=7, write_units=3) as store:
            store.database.tables.create(EVENTS)
            made = store.describe("events")
            units = [part["ProvisionedThroughput"] for part in (made, *made["GlobalSecondaryIndexes"])]
        assert [(unit["ReadCapacityUnits"], unit["WriteCapacityUnits"]) for unit in units] == [(7, 3)] * 2

    def test_a_whole_declaration_comes_back(self, store: Store) -> None:
        """Versions and timestamps too, for which the service has no place of its own."""
        declared = Table(
            "events", "id", "at", [Index("by-state", "state", projection=("day", "a.b")), BY_DAY],
            "gone", "v é", "made", "seen",
        )  # fmt: skip
        store.database.tables.create(declared)
        assert store.database.tables.describe("events") == declared

    def test_what_was_declared_does_not_outlive_the_table(self, store: Store) -> None:
        """A table of the same name that others make has no versions."""
        store.database.tables.create(Table("events", "id", version="version"))
        store.client.delete_table(TableName=f"{store.prefix}events")
        store.create_raw("events", "id:S")
        assert store.database.tables.describe("events") == Table("events", "id")

    def test_tables_are_listed_behind_their_prefix(self, store: Store) -> None:
        """Without those of others, those that Isthmus needs for itself, and those that it could not name."""
        store.create_raw("b-table", "id:S")
        store.create_raw("c.table", "id:S")
        store.database.tables.create(Table("a-table", "id", version="version"))
        assert f"{store.prefix}isthmus-catalogue" in store.client.list_tables()["TableNames"]
        assert store.database.tables.list() == ["a-table", "b-table"]

    def test_a_prefix_is_part_of_every_name(self, store: Store) -> None:
        """Each request that names a table names it with the prefix."""
        table = store.database.tables.create(Table("events", "id", ttl="gone"))
        table.put_many([{"id": "x"}, {"id": "y"}])
        table.get_many([{"id": "x"}])
        table.update(id="x", set={"n": 1})
        store.database.transact_write([table.actions.delete(id="y")])
        assert [item["id"] for item in (*table.query(id="x"), *table.scan())] == ["x", "x"]
        table.drop()
        text = [repr(request.parameters) for request in store.recorder.sent]
        assert len(text) > 8
        assert [request for request in text if "events" in request and f"{store.prefix}events" not in request] == []


def test_tags_hold_what_the_service_has_no_place_for(moto_url: str) -> None:
    """Tags as AWS has them, on moto: there a declaration comes back without a table for it."""
    declared = Table("events", "id", version="v é", created_at="made" * 60, updated_at="seen")
    with open_store(moto_url) as store:
        store.database.tables.create(declared)
        assert store.database.tables.describe("events") == declared
        assert set(store.recorder.actions) == {
            "CreateTable", "DescribeTable", "DescribeTimeToLive", "ListTagsOfResource",
        }  # fmt: skip


class TestWaiting:
    """Plans against a service that takes its time."""

    def test_create_waits_for_the_table_and_its_indexes(self) -> None:
        """Until both are active, with pauses between."""
        answers = [
            {"TableDescription": status("CREATING", one="CREATING")},
            {"Table": status("CREATING", one="CREATING")},
            GONE,
            {"Table": status("ACTIVE", one="CREATING")},
            {"Table": status("ACTIVE", one="ACTIVE")},
        ]
        result, asked = carried_out(tables().create(create()), answers)
        assert result.table == EVENTS
        assert actions(asked) == ["CreateTable"] + ["DescribeTable"] * 4
        assert sum(isinstance(request, Pause) for request in asked) == 3

    def test_expiry_is_switched_on_when_the_table_is_there(self) -> None:
        """And a lost answer to that does not fail the whole."""
        table = Table("events", "id", ttl="gone")
        enabled = {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLING", "AttributeName": "gone"}}
        answers = [
            {"TableDescription": status()}, AnswerLost("cut"), refusal("ValidationException"), enabled,
        ]  # fmt: skip
        _result, asked = carried_out(tables().create(create(table)), answers)
        assert actions(asked) == ["CreateTable", "UpdateTimeToLive", "UpdateTimeToLive", "DescribeTimeToLive"]

    def test_a_creation_that_the_service_failed_at_is_sent_once_more(self) -> None:
        """Where it made nothing: one name has one table at most."""
        broken = refusal("InternalFailure", 500)
        answers = [broken, GONE, {"TableDescription": status()}]
        _result, asked = carried_out(tables().create(create()), answers)
        assert actions(asked)[:3] == ["CreateTable", "DescribeTable", "CreateTable"]

    @pytest.mark.parametrize("then", [[{"Table": status("ACTIVE")}], [GONE, IN_USE]], ids=["at once", "later"])
    def test_a_creation_that_may_be_another_s_stays_in_doubt(self, then: list[Any]) -> None:
        """The first error is raised: the table may be of either."""
        broken = refusal("InternalFailure", 500)
        with pytest.raises(ServiceError) as caught:
            carried_out(tables().create(create()), [broken, *then])
        assert caught.value is broken

    def test_create_waits_for_a_table_of_that_name_to_go(self) -> None:
        """One that is being deleted is no obstacle."""
        answers = [IN_USE, {"Table": status("DELETING")}, {"Table": status("DELETING")}, GONE,
                   {"TableDescription": status()}]  # fmt: skip
        _result, asked = carried_out(tables().create(create()), answers)
        assert actions(asked) == ["CreateTable"] + ["DescribeTable"] * 3 + ["CreateTable"]

    def test_a_name_in_use_is_refused(self) -> None:
        """AlreadyExists, also while the other one is still being made."""
        with pytest.raises(AlreadyExists):
            carried_out(tables().create(create()), [IN_USE, {"Table": status("CREATING")}])

    def test_describe_waits_for_a_table_that_is_being_created(self) -> None:
        """So that the loser of a race between two callers of ensure() can use it."""
        answers = [
            {"Table": status("CREATING")}, {"Table": status("CREATING")}, {"Table": status()}, {"Tags": []},
            {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}},
        ]  # fmt: skip
        result, _asked = carried_out(tables().describe(DescribeTable(Context(), "events")), answers)
        assert result.table == Table("events", "id")

    def test_a_table_that_is_being_deleted_is_not_there(self) -> None:
        """TableNotFound."""
        with pytest.raises(TableNotFound):
            carried_out(tables().describe(DescribeTable(Context(), "events")), [{"Table": status("DELETING")}])

    def test_a_state_that_does_not_end_is_reported(self) -> None:
        """A table that can't be decrypted is not waited for."""
        lost = {"Table": status("INACCESSIBLE_ENCRYPTION_CREDENTIALS")}
        with pytest.raises(Unavailable, match="INACCESSIBLE") as raised:
            carried_out(tables().describe(DescribeTable(Context(), "events")), [lost, lost])
        assert not raised.value.retryable

    def test_drop_waits_until_the_table_is_gone(self) -> None:
        """Then its name is free."""
        answers = [{}, {"Table": status("DELETING")}, GONE]
        _result, asked = carried_out(tables().drop(DropTable(Context(), "events")), answers)
        assert actions(asked) == ["DeleteTable", "DescribeTable", "DescribeTable"]

    def test_drop_waits_until_a_change_of_the_table_is_done(self) -> None:
        """The service refuses to delete a table that is being changed."""
        answers = [IN_USE, {"Table": status("UPDATING")}, {"Table": status("UPDATING")}, {"Table": status()}, {}, GONE]
        _result, asked = carried_out(tables().drop(DropTable(Context(), "events")), answers)
        assert actions(asked).count("DeleteTable") == 2

    def test_waiting_ends_at_the_deadline(self) -> None:
        """DeadlineExceeded, and the table may be there later."""
        operation = create(deadline=time.monotonic())
        with pytest.raises(DeadlineExceeded) as raised:
            carried_out(
                tables().create(operation), [{"TableDescription": status("CREATING")}, {"Table": status("CREATING")}]
            )
        assert raised.value.maybe_applied

    def test_patience_ends(self) -> None:
        """A service that only stumbles is given up in the end."""
        trouble: list[Any] = [refusal("InternalServerError", 500) for _ in range(6)]
        with pytest.raises(type(trouble[0])):
            carried_out(tables().create(create()), [{"TableDescription": status("CREATING")}, *trouble])


class TestTags:
    """The parts of a declaration that are kept as tags."""

    @given(name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=63))
    def test_any_name_survives_as_tags(self, name: str) -> None:
        """Whatever characters it has, within what a tag may hold."""
        table = Table("events", "id-0", version=f"v{name}", updated_at="é" * 127)
        tags = tags_of(table)
        assert all(len(tag["Value"]) <= 256 and tag["Value"].isascii() for tag in tags)
        assert parts_from({"Name": "x", **{tag["Key"]: tag["Value"] for tag in tags}}) == parts_of(table)

    @pytest.mark.parametrize("text", ["1", "v=1.0", "é", "_w==", ""])
    def test_foreign_tags_are_left_alone(self, text: str) -> None:
        """Others may use the same names for other things."""
        assert parts_from({"isthmus:version:0": text}) == {}

    def test_tags_are_made_with_the_table_and_read_by_pages(self) -> None:
        """Where the service has tags, no further table is needed."""
        declared = Table("events", "id", version="version", created_at="made")
        plans = tables()
        first, second = [[tag] for tag in tags_of(declared)]
        _result, asked = carried_out(plans.create(create(declared)), [{"TableDescription": status()}, {"Tags": []}])
        assert isinstance(asked[0], Request)
        assert asked[0].parameters["Tags"] == first + second
        answers = [
            {"Table": status()}, {"Tags": first, "NextToken": "t"}, {"Tags": second},
            {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}},
        ]  # fmt: skip
        result, _asked = carried_out(plans.describe(DescribeTable(Context(), "events")), answers)
        assert result.table == declared
