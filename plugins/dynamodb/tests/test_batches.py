"""Batches that the service answers in part, or with more than a transport takes."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus import Table
from isthmus.errors import Throttled
from isthmus.expressions import Path
from isthmus.operations import Context, GetMany
from isthmus.results import GetManyResult
from isthmus_dynamodb.batches import get_many
from isthmus_dynamodb.known_tables import TrustedTables
from isthmus_dynamodb.names import TableNames
from isthmus_dynamodb.native import AnswerLost, AnswerTooLarge, Json
from isthmus_dynamodb.service import Service
from plugins.dynamodb.tests.stored import NOW, carried_out

TABLE = Table("things", partition_key="id")
SERVICE = Service(lambda: NOW, TableNames(""), TrustedTables(TableNames("")))


def keys(*numbers: int) -> list[Json]:
    """Keys as they are sent."""
    return [{"id": {"S": str(number)}} for number in numbers]


def some(found: range, left: range = range(0)) -> Json:
    """An answer with items, and with keys that are left."""
    unprocessed = {"things": {"Keys": keys(*left)}} if left else {}
    return {"Responses": {"things": keys(*found)}, "UnprocessedKeys": unprocessed}


def read(count: int, *answers: Any, projection: tuple[Path, ...] | None = None) -> tuple[GetManyResult, list[int]]:
    """What a batch of reads comes to, and how many keys each of its requests asked for."""
    operation = GetMany(Context(), TABLE, tuple({"id": str(n)} for n in range(count)), projection=projection)
    result, asked = carried_out(get_many(operation, SERVICE), answers)
    requests: list[Any] = list(asked)
    return result, [len(request.parameters["RequestItems"]["things"]["Keys"]) for request in requests]


@pytest.mark.parametrize("projection", [None, (("id",),)])
def test_what_is_left_is_asked_for_again_while_there_is_progress(projection: tuple[Path, ...] | None) -> None:
    """Items of more than 16 MB come in several answers, however little of each is asked for."""
    answers = some(range(43), range(43, 100)), some(range(43, 86), range(86, 100)), some(range(86, 100))
    result, sizes = read(100, *answers, projection=projection)
    assert (result.items, result.failures) == (tuple({"id": str(n)} for n in range(100)), ())
    assert sizes == [100, 57, 14]


def test_without_progress_it_is_throttled() -> None:
    """Keys that are left by a request that gave nothing are reported, for the core to wait."""
    left = range(60, 100)
    answers = some(range(60), left), some(range(100, 120), left), some(range(0), left)
    result, sizes = read(120, *answers)
    assert [(failure.position, type(failure.error)) for failure in result.failures] == [
        (n, Throttled) for n in range(60, 100)
    ]
    assert (sizes, result.items[119]) == ([100, 60, 40], {"id": "119"})


def test_an_answer_that_is_too_large_is_asked_for_in_halves() -> None:
    """What follows is asked for in requests as small as the one that was answered."""
    answers = AnswerTooLarge("long"), AnswerTooLarge("long"), *(some(range(n, n + 25)) for n in range(0, 100, 25))
    result, sizes = read(100, *answers)
    assert (result.items, result.failures) == (tuple({"id": str(n)} for n in range(100)), ())
    assert sizes == [100, 50, 25, 25, 25, 25]


def test_one_item_that_is_too_large_ends_it() -> None:
    """There is nothing left to halve."""
    with pytest.raises(AnswerTooLarge):
        read(2, AnswerTooLarge("long"), AnswerTooLarge("long"))


def test_a_lost_answer_after_others_fails_what_is_left() -> None:
    """The items that were read are kept."""
    result, sizes = read(120, some(range(100)), AnswerLost("gone"))
    assert ([failure.position for failure in result.failures], sizes) == (list(range(100, 120)), [100, 20])
    assert result.items[99] == {"id": "99"}
