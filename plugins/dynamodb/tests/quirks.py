"""What the emulators of DynamoDB do otherwise than the service: one table, and nowhere else.

A quirk is never the rule. Each row says what is so on the emulator and on the service, and which tests of the kit can't
pass because of it; ``test_quirks.py`` shows that the emulator still has it, so that a row goes when it is mended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

Client = Any
"""A client of boto3."""


@frozen
class Quirk:
    """One difference.

    :param emulator: what the emulator does
    :param service: what DynamoDB does
    :param shows: whether the emulator still does it; it gets a client and the name of a table with the key ``id``
    :param tests: tests of the kit that it makes impossible
    """

    emulator: str
    service: str
    shows: Callable[[Client, str], bool]
    tests: tuple[str, ...] = ()


def scan(client: Client, table: str, item: dict[str, Any], expression: str, **values: Any) -> Any:
    """How many items a filter finds where there is one, or the code of the refusal."""
    client.put_item(TableName=table, Item={"id": {"S": "a"}, **item})
    given = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
    return tried(lambda: client.scan(TableName=table, FilterExpression=expression, **given)["Count"])


def update(client: Client, table: str, item: dict[str, Any], expression: str, **values: Any) -> Any:
    """The item that an update leaves, or the code of the refusal."""
    client.put_item(TableName=table, Item={"id": {"S": "a"}, **item})
    given = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
    key = {"id": {"S": "a"}}
    request = {"TableName": table, "Key": key, "UpdateExpression": expression, "ReturnValues": "ALL_NEW", **given}
    return tried(lambda: client.update_item(**request)["Attributes"])


def tried(call: Callable[[], Any]) -> Any:
    """What a call gives, or the code of its refusal."""
    try:
        return call()
    except Exception as error:
        return getattr(error, "response", {"Error": {"Code": "500"}})["Error"]["Code"]


def _too_many_reads(client: Client, table: str) -> bool:
    gets = [{"Get": {"TableName": table, "Key": {"id": {"S": str(n)}}}} for n in range(26)]
    return bool(tried(lambda: len(client.transact_get_items(TransactItems=gets)["Responses"])) != 26)


def _too_large(client: Client, table: str) -> bool:
    item = {"id": {"S": "a"}, "t": {"S": "t" * 408_000}}
    return bool(tried(lambda: client.put_item(TableName=table, Item=item)["ResponseMetadata"]["HTTPStatusCode"]) != 200)


def _deep(client: Client, table: str) -> bool:
    value: Any = {"S": "x"}
    for _ in range(40):
        value = {"L": [value]}
    item = {"id": {"S": "a"}, "l": value}
    return bool(tried(lambda: client.put_item(TableName=table, Item=item)["ResponseMetadata"]["HTTPStatusCode"]) == 200)


def _shared_sort_key(client: Client, table: str) -> bool:
    """Whether pages of one item lose items of an index whose sort key is the table's own."""
    name = f"{table}-shared"
    definitions = [{"AttributeName": attribute, "AttributeType": "S"} for attribute in "pgs"]
    client.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=_keys("p", "s"), AttributeDefinitions=definitions,
        GlobalSecondaryIndexes=[{"IndexName": "by-g", "KeySchema": _keys("g", "s"), "Projection": _WHOLE}],
    )  # fmt: skip
    try:
        for partition in "abc":
            client.put_item(TableName=name, Item={"p": {"S": partition}, "s": {"S": "x"}, "g": {"S": "g"}})
        return len(_paged(client, name)) < 3
    finally:
        client.delete_table(TableName=name)


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def _paged(client: Client, name: str) -> list[Any]:
    pages = client.get_paginator("query").paginate(
        TableName=name, IndexName="by-g", KeyConditionExpression="g = :g AND s <= :s", PaginationConfig={"PageSize": 1},
        ExpressionAttributeValues={":g": {"S": "g"}, ":s": {"S": "x"}},
    )  # fmt: skip
    return [item for page in pages for item in page["Items"]]


_WHOLE = {"ProjectionType": "ALL"}
_ONE, _NULL = {"N": "1"}, {"NULL": True}

MOTO: Final[tuple[Quirk, ...]] = (
    Quirk(
        "a missing value equals null and another missing value, and a false condition is taken for a true one",
        "null and missing are two things",
        lambda client, table: scan(client, table, {}, "a = :x", x=_NULL) == 1,
        (
            "test_missing_and_null",
            "test_logic",
            "test_conditions_that_fail_for_an_item_without_attributes_create_nothing",
        ),
    ),
    Quirk(
        "comparing the order of two types, as in the test of an expiry time, is a failure of the whole request",
        "is false",
        lambda client, table: scan(client, table, {"a": {"S": "x"}}, "a < :x", x=_ONE) != 0,
        (
            "test_order",
            "test_other_types_never_expire",
            "test_an_update_may_move_the_expiry",
            "test_ttl_machine",
            "test_paging_machine",
            "test_any_filter_agrees_with_the_evaluator",
            "test_any_history_of_conditional_writes_equals_the_model",
        ),
    ),
    Quirk(
        "true equals the number 1",
        "a boolean is no number",
        lambda client, table: scan(client, table, {"a": {"BOOL": True}}, "a = :x", x=_ONE) == 1,
        ("test_types", "test_lists_maps_and_sets"),
    ),
    Quirk(
        "size() of a value without a size is refused, and counts code points of text",
        "has no value; UTF-16 code units",
        lambda client, table: scan(client, table, {"a": {"S": "\U0001f600"}}, "size(a) = :x", x={"N": "2"}) != 1,
        ("test_size",),
    ),
    Quirk(
        "begins_with() and contains() are false for binary values",
        "work as for text",
        lambda client, table: scan(client, table, {"a": {"B": b"ab"}}, "begins_with(a, :x)", x={"B": b"a"}) == 0,
        ("test_text_and_binary",),
    ),
    Quirk(
        "setting below a value that is no map is ignored, and several list elements past the end come in another order",
        "is refused; they come in the order of their indexes",
        lambda client, table: update(client, table, {"a": _ONE}, "SET a.x = :x", x=_ONE) != "ValidationException",
        (
            "test_a_change_that_cannot_be_made_changes_nothing",
            "test_a_change_that_cannot_be_made_applies_nothing",
            "test_an_error_says_what_and_where",
            "test_an_error_shows_no_keys_and_no_values",
            "test_lists_and_removals",
            "test_transaction_machine",
        ),
    ),
    Quirk(
        "sums may have more digits, and a larger magnitude, than a number can",
        "are refused",
        lambda client, table: (
            update(client, table, {"a": {"N": "9E+125"}}, "ADD a :x", x={"N": "9E+125"}) != "ValidationException"
        ),
        ("test_sums_from_both_sides",),
    ),
    Quirk(
        "an item may have 405,000 bytes",
        "409,600",
        _too_large,
        (
            "test_the_largest_item_fits_and_one_byte_more_does_not",
            "test_sizes_count_utf_8_names_and_every_type",
            "test_an_update_is_judged_by_its_result",
            "test_any_value_fits_at_exactly_the_limit",
            "test_a_transaction_carries_4_mib_and_not_one_byte_more",
        ),
    ),
    Quirk(
        "nothing is nested too deeply",
        "32 levels are the limit",
        _deep,
        ("test_the_deepest_value_fits_and_one_level_more_does_not",),
    ),
    Quirk(
        "a transactional read takes 25 items",
        "100 items",
        _too_many_reads,
        ("test_a_transactional_read_takes_100_items_and_not_101", "test_up_to_a_hundred_items"),
    ),
)

LOCAL: Final[tuple[Quirk, ...]] = (
    Quirk(
        "pages of an index whose sort key is the table's own end after the first of several items at a range's edge",
        "all of them come",
        _shared_sort_key,
    ),
)
"""What DynamoDB Local does otherwise; no test of the kit has such an index."""

UNSEEN: Final = {
    "test_stored_indexes_refuse_what_the_declaration_leaves_out": "moto stores index keys of the wrong type; DynamoDB"
    " refuses them",
    "test_stored_indexes_refuse_the_same_in_a_transaction": "moto stores index keys of the wrong type; DynamoDB refuses"
    " them",
    "test_nobody_sees_half_a_transfer": "moto carries out a transaction action by action while others read; DynamoDB's"
    " reads are serialisable",
}
"""Excuses that one request by itself can't show."""


def excuses(quirks: tuple[Quirk, ...]) -> dict[str, str]:
    """The tests that quirks make impossible, each with its reason."""
    return {
        test: f"on the emulator: {quirk.emulator}; on DynamoDB: {quirk.service}"
        for quirk in quirks
        for test in quirk.tests
    }
