"""What the emulators of DynamoDB do otherwise than the service: one table, and nowhere else.

A quirk is never the rule. Each row says which rule it touches, what is so on the emulator and on the service, and which
tests of the kit, or cases of them, can't pass because of it; most touch none. ``test_quirks.py`` shows that the
emulator still has it, so that a row goes when it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from attrs import frozen

from plugins.dynamodb.tests import quirk_probes as probes
from plugins.dynamodb.tests.quirk_probes import Client, put, removed, scan, tried, update


@frozen
class Quirk:
    """One difference.

    :param rule: the rule of the contract that it touches; empty where it touches none
    :param emulator: what the emulator does
    :param service: what DynamoDB does
    :param shows: whether the emulator still does it; it gets a client and the name of an empty table with the key
        ``id``. None where no single request can show it
    :param tests: tests of the kit, or cases of them, that it makes impossible
    """

    rule: str
    emulator: str
    service: str
    shows: Callable[[Client, str], bool] | None
    tests: tuple[str, ...] = ()


def _cases(test: str, *cases: str) -> tuple[str, ...]:
    return tuple(f"{test}[{case}]" for case in cases)


_ONE: Final[Any] = {"N": "1"}
_NULL: Final[Any] = {"NULL": True}

MOTO: Final[tuple[Quirk, ...]] = (
    Quirk(
        "NUL-2",
        "a missing value equals null and another missing value",
        "null and missing are two things",
        lambda client, table: scan(client, table, {}, "a = :x", x=_NULL) == 1,
        (
            *_cases(
                "test_missing_and_null", "missing does not equal null", "missing does not equal missing",
                "missing differs from null", "missing differs from missing", "missing is no null alternative",
            ),
            *_cases("test_conditions_that_fail_for_an_item_without_attributes_create_nothing", "F.x.in_([None])"),
        ),
    ),
    Quirk(
        "NUL-4",
        "comparing the order of two types, as in the test of an expiry time, fails the whole request, and a boolean is"
        " compared as a number",
        "is false",
        lambda client, table: scan(client, table, {"a": {"S": "x"}}, "a < :x", x=_ONE) != 0,
        (
            *_cases(
                "test_order", "string against number", "number against string", "boolean against number",
                "map against number", "list against number", "set against number", "binary against string",
                "not less is true for another type", "two attributes of different types",
            ),
            *_cases("test_lists_maps_and_sets", "no order inside lists"),
            *_cases(
                "test_other_types_never_expire", "", "1_0", "1_1", "4000000000", "True", "False", "value6", "value7",
                "value8",
            ),
            "test_an_update_may_move_the_expiry",
            "test_ttl_machine",
            "test_paging_machine[number]",
            "test_any_filter_agrees_with_the_evaluator",
            "test_any_history_of_conditional_writes_equals_the_model",
        ),
    ),
    Quirk(
        "NUM-9",
        "true equals the number 1",
        "a boolean is no number",
        lambda client, table: scan(client, table, {"a": {"BOOL": True}}, "a = :x", x=_ONE) == 1,
        (
            *_cases(
                "test_types", "true is not 1", "1 is not true", "true differs from 1", "false is not 0",
                "true in a list is not 1", "list contains typed members",
            ),
            *_cases("test_logic", "in is typed"),
        ),
    ),
    Quirk(
        "STR-6",
        "size() of a value without a size is refused, and counts code points of text",
        "has no value; UTF-16 code units",
        lambda client, table: scan(client, table, {"a": {"S": "\U0001f600"}}, "size(a) = :x", x={"N": "2"}) != 1,
        _cases(
            "test_size", "size in UTF-16 units", "a number has no size", "a number's size differs",
            "missing has no size",
        ),
    ),
    Quirk(
        "BIN-4",
        "begins_with() and contains() are false for binary values",
        "work as for text",
        lambda client, table: scan(client, table, {"a": {"B": b"ab"}}, "begins_with(a, :x)", x={"B": b"a"}) == 0,
        (
            "test_paging_machine[binary]",
            *_cases("test_text_and_binary", "binary prefix"),
            *_cases("test_lists_maps_and_sets", "contains a part of binary"),
        ),
    ),
    Quirk(
        "UPD-3",
        "setting below a value that is no map is ignored, and several list elements past the end come in another order",
        "is refused; they come in the order of their indexes",
        lambda client, table: update(client, table, {"a": _ONE}, "SET a.x = :x", x=_ONE) != "ValidationException",
        (
            *_cases(
                "test_a_change_that_cannot_be_made_changes_nothing", "parent is a number", "parent is null",
                "name below a list",
            ),
            "test_any_history_of_updates_equals_the_model",
            *_cases("test_a_change_that_cannot_be_made_applies_nothing", "path"),
            *_cases("test_an_error_says_what_and_where", "path"),
            *_cases("test_an_error_shows_no_keys_and_no_values", "path"),
            *_cases("test_lists_and_removals", "remove below another type", "several past the end in index order"),
            "test_transaction_machine",
        ),
    ),
    Quirk(
        "NUM-10",
        "sums may have more digits, and a larger magnitude, than a number can",
        "are refused",
        lambda client, table: (
            update(client, table, {"a": {"N": "9E+125"}}, "ADD a :x", x={"N": "9E+125"}) != "ValidationException"
        ),
        (
            "test_sums_from_both_sides",
            *_cases(
                "test_a_change_that_cannot_be_made_changes_nothing", "sum too large", "sum with too many digits",
                "sum too small",
            ),
            *_cases("test_a_change_that_cannot_be_made_applies_nothing", "range"),
            *_cases("test_an_error_says_what_and_where", "range"),
            *_cases("test_an_error_shows_no_keys_and_no_values", "range"),
        ),
    ),
    Quirk(
        "SIZ-1",
        "an item may have 405,000 bytes",
        "409,600",
        probes.too_large,
        (
            "test_the_largest_item_fits_and_one_byte_more_does_not",
            "test_sizes_count_utf_8_names_and_every_type",
            "test_an_update_is_judged_by_its_result",
            "test_any_value_fits_at_exactly_the_limit",
            "test_a_transaction_carries_4_mib_and_not_one_byte_more",
        ),
    ),
    Quirk(
        "SIZ-2",
        "nothing is nested too deeply",
        "32 levels are the limit",
        probes.deep,
        ("test_the_deepest_value_fits_and_one_level_more_does_not",),
    ),
    Quirk(
        "TXN-12",
        "a transactional read takes 25 items",
        "100 items",
        probes.too_many_reads,
        ("test_a_transactional_read_takes_100_items_and_not_101", "test_up_to_a_hundred_items"),
    ),
    Quirk(
        "KEY-10",
        "a put may store an index key of the wrong type, also in a transaction",
        "is refused",
        lambda client, table: probes.wrong_index_key(client, table, "put") == "accepted",
        (
            *_cases(
                "test_stored_indexes_refuse_what_the_declaration_leaves_out", "{'g': 5}", "{'g': b'g'}",
                "{'g': ['g']}", "{'r': '1'}", "{'r': True}",
            ),
            "test_stored_indexes_refuse_the_same_in_a_transaction",
        ),
    ),
    Quirk(
        "KEY-5",
        "a read by a key of another type finds nothing",
        "is refused",
        lambda client, table: tried(lambda: client.get_item(TableName=table, Key={"id": _ONE}) and "read") == "read",
        _cases("test_an_operation_id_of_another_key_is_refused", "{'id': 5}", "{'id': b'1'}"),
    ),
    Quirk(
        "CND-9",
        "another request may come between the judging of a write and the write itself, so two writers may win",
        "each write is judged and applied as one",
        None,
        (
            "test_one_create_wins", "test_one_conditional_update_wins", "test_one_conditional_put_wins",
            "test_one_conditional_delete_wins", "test_one_delete_meets_the_item", "test_no_increment_is_lost",
            "test_no_upsert_is_lost", "test_versioned_writers_conflict", "test_read_and_write_again_until_it_holds",
            "test_no_write_skew", "test_racing_replays_apply_once",
        ),
    ),
    Quirk(
        "TXN-5",
        "a transaction is carried out action by action while others read",
        "reads are serialisable",
        None,
        ("test_nobody_sees_half_a_transfer",),
    ),
)  # fmt: skip

LOCAL: Final[tuple[Quirk, ...]] = (
    Quirk(
        "KEY-10",
        "an update may set an index key to a value of the wrong type",
        "is refused, as a put is on both",
        lambda client, table: probes.wrong_index_key(client, table, "update") == "accepted",
    ),
    Quirk(
        "UPD-1",
        "a bare REMOVE creates the missing item",
        "creates nothing",
        lambda client, table: removed(client, table, "a") == probes.KEY,
    ),
    Quirk(
        "UPD-4",
        "a REMOVE below the top of a missing item is refused",
        "changes nothing",
        lambda client, table: removed(client, table, "a.b") == "ValidationException",
    ),
    Quirk(
        "STR-3",
        "a lone surrogate is stored and comes back",
        "not known; it is no UTF-8",
        lambda client, table: (
            put(client, table, s={"S": "\ud800"}) == 200
            and probes.got(client, table) == {**probes.KEY, "s": {"S": "\ud800"}}
        ),
    ),
    Quirk(
        "NUM-7",
        "an update writes small members of a new set with exponents",
        "plain decimals everywhere",
        lambda client, table: probes.added_set(client, table, "0.0000001") == ["1E-7"],
    ),
    Quirk(
        "NUM-7",
        "a zero that comes out of arithmetic keeps its places: 0.000",
        "0",
        lambda client, table: (
            update(client, table, {"a": {"N": "0.001"}}, "ADD a :x", x={"N": "-0.001"})["a"] == {"N": "0.000"}
        ),
    ),
    Quirk(
        "QRY-15",
        "pages of an index that shares the table's sort key miss items with equal ones, where a range ends there",
        "each item comes once",
        probes.loses_ties,
    ),
    Quirk("", "an error has no checksum", "every answer has one", probes.has_no_checksum_on_errors),
    Quirk(
        "CND-8",
        "nothing is ever throttled",
        "ProvisionedThroughputExceededException once the capacity is used up",
        probes.never_throttles,
    ),
    Quirk(
        "",
        "tags of a table that exists are refused",
        "can be set and read",
        lambda client, table: probes.tagging(client, table) == "UnknownOperationException",
    ),
)


def excuses(quirks: Iterable[Quirk]) -> dict[str, str]:
    """The tests that quirks make impossible, each with its reason."""
    return {
        test: f"{quirk.rule}: on the emulator: {quirk.emulator}; on DynamoDB: {quirk.service}"
        for quirk in quirks
        for test in quirk.tests
    }
