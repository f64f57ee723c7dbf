"""What DynamoDB Local never answers: throttling, conflicts, failures of the service and leftovers of batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from isthmus import BoundTable, Plugin, RetryPolicy, connect, hookimpl
from isthmus.errors import Conflict, DeadlineExceeded, IsthmusError, OutcomeUnknown, Throttled
from isthmus.metrics import OPERATION_RETRIES, OPERATION_THROTTLED, Metric
from tests.faults.front import (
    Forward,
    Front,
    Json,
    cancelled,
    front,
    refusal,
    refusal_after_the_effect,
    some_items,
    some_keys,
)
from tests.faults.places import ONCE, QUICK, Place, place, server_of, through
from tests.faults.rounds import write_long_ago
from tests.patience import StoodStill, with_enough_time

THROTTLED = ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"]
CONFLICTS = ["TransactionConflictException", "TransactionInProgressException"]
BROKEN = [("InternalServerError", 500), ("ServiceUnavailable", 503)]
# More answers than there is time for.
LONG = 10_000
PATIENT = RetryPolicy(attempts=2 * LONG, base=0.001, cap=0.004, budget=2 * LONG)
ITEMS = [{"id": f"{number:02}", "n": number} for number in range(20)]


@pytest.fixture(params=["dynamodb-fast", "dynamodb-boto3"])
def at(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[Place]:
    """DynamoDB Local, with both transports."""
    with place(request.param, url_of) as found:
        yield found


@pytest.fixture
def before(at: Place) -> Iterator[Front]:
    """The front."""
    with front(server_of(at.faulty_url)) as found:
        yield found


@pytest.fixture
def table(at: Place, before: Front) -> Iterator[BoundTable]:
    """The table through the front, with retries."""
    with connect(through(at.faulty_url, before.address), retry_policy=QUICK) as database:
        yield database.table(at.schema)


@pytest.fixture
def impatient(at: Place, before: Front) -> Iterator[BoundTable]:
    """The table through the front, without retries."""
    with connect(through(at.faulty_url, before.address), retry_policy=ONCE) as database:
        yield database.table(at.schema)


def transaction(table: BoundTable) -> Any:
    """Two actions."""
    return table.database.transact_write(
        [table.actions.update(id="00", add={"n": 1}), table.actions.create({"id": "new"})]
    )


def contents(at: Place) -> list[Any]:
    """All items by their key."""
    return sorted(at.plain.scan(), key=lambda item: str(item["id"]))


@pytest.mark.parametrize(("code", "error"), [*((c, Throttled) for c in THROTTLED), *((c, Conflict) for c in CONFLICTS)])
def test_refusals_are_typed(
    at: Place, before: Front, impatient: BoundTable, code: str, error: type[IsthmusError]
) -> None:
    """Nothing was applied, and the caller may repeat it; the message names the service's code."""
    before.plan("PutItem", refusal(code))
    with pytest.raises(error, match=code) as caught:
        impatient.create(ITEMS[0])
    assert (caught.value.retryable, caught.value.maybe_applied, contents(at)) == (True, False, [])


@pytest.mark.parametrize("code", [*THROTTLED, *CONFLICTS])
def test_refusals_are_retried(at: Place, before: Front, table: BoundTable, code: str) -> None:
    """Two refusals are not noticed by the caller."""
    before.plan("PutItem", refusal(code), refusal(code))
    table.create(ITEMS[0])
    assert (before.seen.count("PutItem"), contents(at)) == (3, [ITEMS[0]])


@pytest.mark.parametrize(("code", "status"), BROKEN)
@pytest.mark.parametrize("broken", [refusal, refusal_after_the_effect])
def test_failures_of_the_service_leave_one_effect(
    at: Place, before: Front, table: BoundTable, code: str, status: int, broken: Callable[..., Any]
) -> None:
    """Whether the service carried the request out or not, which its answer doesn't tell."""
    write_long_ago(at.plain, ITEMS[0])
    before.plan("UpdateItem", broken(code, status), broken(code, status))
    table.update(id="00", add={"n": 1})
    assert (before.seen.count("UpdateItem"), at.plain.get(id="00")["n"]) == (3, 1)


def test_a_failure_of_the_service_without_a_retry_is_unknown(at: Place, before: Front, impatient: BoundTable) -> None:
    """The operation id in the error settles it."""
    write_long_ago(at.plain, ITEMS[0])
    before.plan("UpdateItem", refusal_after_the_effect("InternalServerError", 500))
    with pytest.raises(OutcomeUnknown) as caught:
        impatient.update(id="00", add={"n": 1})
    assert at.plain.database.resolve(str(caught.value.operation_id)) == "applied"


def test_a_read_survives_a_failure_of_the_service(at: Place, before: Front, table: BoundTable) -> None:
    """It is simply repeated."""
    at.plain.put(ITEMS[0])
    before.plan("GetItem", refusal("InternalServerError", 500))
    assert table.get(id="00") == ITEMS[0]


@pytest.mark.parametrize("codes", [("TransactionConflict", "None"), ("None", "ThrottlingError")])
def test_transactions_that_met_others_are_retried(
    at: Place, before: Front, table: BoundTable, codes: tuple[str, ...]
) -> None:
    """A cancelled transaction applied nothing; the repetition applies it once."""
    at.plain.put(ITEMS[0])
    before.plan("TransactWriteItems", cancelled(*codes), cancelled(*codes))
    transaction(table)
    assert (before.seen.count("TransactWriteItems"), at.plain.get(id="00")["n"]) == (3, 1)


def test_a_transaction_that_keeps_meeting_others_is_a_conflict(at: Place, before: Front, impatient: BoundTable) -> None:
    """Not a failed condition."""
    at.plain.put(ITEMS[0])
    before.plan("TransactWriteItems", cancelled("TransactionConflict", "None"))
    with pytest.raises(Conflict):
        transaction(impatient)
    assert contents(at) == [ITEMS[0]]


@pytest.mark.parametrize("first", [0, 7, 19])
def test_leftover_items_are_sent_again(at: Place, before: Front, table: BoundTable, first: int) -> None:
    """A batch is carried out in parts."""
    before.plan("BatchWriteItem", some_items(first), some_items(1))
    table.put_many(ITEMS).raise_for_failures()
    assert contents(at) == ITEMS


@pytest.mark.parametrize("first", [0, 7, 19])
def test_leftover_keys_are_asked_again(at: Place, before: Front, table: BoundTable, first: int) -> None:
    """A batch is answered in parts."""
    at.plain.put_many(ITEMS).raise_for_failures()
    before.plan("BatchGetItem", some_keys(first), some_keys(1))
    found = table.get_many([{"id": item["id"]} for item in ITEMS])
    assert (list(found), found.failures) == (ITEMS, ())


class Counting(Plugin):
    """Adds up what is measured, by name and operation."""

    name: ClassVar[str] = "counting"

    def __init__(self) -> None:
        self.sums: Counter[tuple[str, str]] = Counter()

    @hookimpl
    def isthmus_record_metric(self, metric: Metric) -> None:
        self.sums[metric.name, metric.labels["operation"]] += int(metric.value)


@pytest.fixture
def counting(at: Place, before: Front) -> Iterator[tuple[BoundTable, Counter[tuple[str, str]]]]:
    """The table through the front, with retries, and what is measured."""
    plugin = Counting()
    with connect(through(at.faulty_url, before.address), retry_policy=QUICK, plugins=[plugin]) as database:
        yield database.table(at.schema), plugin.sums


def test_each_member_that_is_turned_away_is_counted(
    at: Place, before: Front, counting: tuple[BoundTable, Counter[tuple[str, str]]]
) -> None:
    """Those that the core sends again, those that the backend asks for again, and whole requests."""
    table, sums = counting
    before.plan("BatchWriteItem", some_items(7), some_items(3))  # 13 are left, then 10
    table.put_many(ITEMS).raise_for_failures()
    before.plan("BatchGetItem", some_keys(0), some_keys(15))  # 20 are left, then 5 with progress
    assert len(list(table.get_many([{"id": item["id"]} for item in ITEMS]))) == 20
    before.plan("GetItem", refusal(THROTTLED[0]))
    table.get(id="00")
    counted = {kind: sums[OPERATION_THROTTLED.name, kind] for kind in ("put_many", "get_many", "get")}
    assert counted == {"put_many": 23, "get_many": 25, "get": 1}
    assert {kind: sums[OPERATION_RETRIES.name, kind] for kind in counted} == {"put_many": 2, "get_many": 1, "get": 1}
    assert contents(at) == ITEMS


def test_items_that_are_left_over_for_ever_are_reported(at: Place, before: Front, table: BoundTable) -> None:
    """Each with its own error; the others are there."""
    before.plan("BatchWriteItem", some_items(7), *[some_items(0)] * 100)
    result = table.put_many(ITEMS)
    assert {type(failure.error) for failure in result.failures} == {Throttled}
    assert (len(result.failures), contents(at)) == (13, ITEMS[:7])


def test_keys_that_are_left_over_for_ever_are_reported(at: Place, before: Front, table: BoundTable) -> None:
    """Never taken for missing."""
    at.plain.put_many(ITEMS).raise_for_failures()
    before.plan("BatchGetItem", some_keys(7), *[some_keys(0)] * 100)
    found = table.get_many([{"id": item["id"]} for item in ITEMS])
    assert {type(failure.error) for failure in found.failures} == {Throttled}
    assert (len(found.failures), len([item for item in found if item is not None])) == (13, 7)


def test_leftovers_end_with_the_deadline(at: Place, before: Front) -> None:
    """However patient the retries are."""

    def seven(body: Json, forward: Forward) -> tuple[int, Json]:
        """Of the whole batch; of what is left, none."""
        ((_table, members),) = body["RequestItems"].items()
        return some_items(7 if len(members) == len(ITEMS) else 0)(body, forward)

    def attempt(table: BoundTable, seconds: float) -> int:
        try:
            return len(table.put_many(ITEMS, timeout=seconds).failures)
        except DeadlineExceeded:  # before the first answer
            raise StoodStill from None

    before.plan("BatchWriteItem", *[seven] * LONG)
    with connect(through(at.faulty_url, before.address), retry_policy=PATIENT) as database:
        table = database.table(at.schema)
        assert with_enough_time(lambda seconds: attempt(table, seconds)) == 13
    assert contents(at) == ITEMS[:7]
