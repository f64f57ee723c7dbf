"""Operation ids: which attempts carry them, what settles an outcome, and the text that callers get."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tests.dispatch.test_dispatch import Flaky, Run, both
from isthmus import errors
from isthmus import operations as op
from isthmus.operation_ids import CLOCK_MARGIN, floor, identified, new_operation_id, public_id, resolve_request
from isthmus.results import Result
from isthmus.schema import Table

LOST = errors.Unavailable("gone", maybe_applied=True)
THINGS = Table("things", "id")


class Knowing(Flaky):
    """Knows its own updates again, and remembers the contexts of all attempts."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__(*errors)
        self.contexts: list[op.Context] = []

    def identifies(self, operation: op.Operation) -> bool:
        return isinstance(operation, op.Update)

    def execute(self, operation: op.Operation) -> Result:
        if isinstance(operation, op.Update | op.Put | op.Get):
            self.contexts.append(operation.context)
        return super().execute(operation)


def update(run: Run, backend: Knowing) -> Any:
    """An increment of an item that it creates."""
    return run(backend, "update", id="1", add={"n": 1}, upsert=True)


@both
def test_all_attempts_carry_one_id(run: Run) -> None:
    """The first attempt has an id; what follows a lost answer has the same, marked as a repetition."""
    backend = Knowing(LOST, errors.Throttled("busy"))
    update(run, backend)
    assert len({context.operation_id for context in backend.contexts}) == 1
    assert [context.repeated for context in backend.contexts] == [False, True, True]


@both
def test_a_refusal_is_no_reason_to_suspect_anything(run: Run) -> None:
    """An attempt that was surely not applied leaves the next one an ordinary attempt."""
    backend = Knowing(errors.Throttled("busy"))
    update(run, backend)
    assert [context.repeated for context in backend.contexts] == [False, False]


@both
def test_an_attempt_after_a_refusal_has_an_id_of_its_own(run: Run) -> None:
    """With the first one, what it leaves would look older than writes that came before it."""
    backend = Knowing(errors.Throttled("busy"), LOST)
    update(run, backend)
    first, second, third = (context.operation_id for context in backend.contexts)
    assert (first != second, second == third) == (True, True)
    assert [context.repeated for context in backend.contexts] == [False, False, True]


@both
def test_what_the_backend_does_not_identify_has_no_id(run: Run) -> None:
    """A read needs none."""
    backend = Knowing()
    run(backend, "find", id="1")
    assert [context.operation_id for context in backend.contexts] == [None]


@both
@pytest.mark.parametrize("error", [errors.ConditionFailed("no"), errors.ItemNotFound("no"), errors.OutOfRange("no")])
def test_a_repetition_settles_the_outcome(run: Run, error: errors.IsthmusError) -> None:
    """A failure that says that nothing was applied speaks for all attempts."""
    with pytest.raises(type(error)) as caught:
        update(run, Knowing(LOST, error))
    assert (caught.value.maybe_applied, caught.value.operation_id) == (False, None)


@both
@pytest.mark.parametrize("error", [errors.PermissionDenied("no"), errors.TableNotFound("no"), errors.Unavailable("no")])
def test_other_failures_leave_it_open(run: Run, error: errors.IsthmusError) -> None:
    """A failure that speaks only for its own attempt ends as an unknown outcome, with an id to settle it."""
    with pytest.raises(errors.OutcomeUnknown, match="resolve") as caught:
        update(run, Knowing(LOST, *[error] * 20))
    request = resolve_request(caught.value.operation_id, op.Context())
    assert (request.table_name, request.key) == ("things", {"id": "1"})


def test_ids_sort_by_time() -> None:
    """An id is older than one that is made later, and its floor is older by the margin between clocks."""
    first = new_operation_id()
    assert first[:11] <= new_operation_id()[:11]
    assert int(first[:11], 16) - int(floor(first), 16) == CLOCK_MARGIN * 1000
    assert floor(first) < first


def test_an_id_is_24_hexadecimal_digits() -> None:
    """The form that backends store."""
    assert len(new_operation_id()) == 24
    assert set(new_operation_id()) <= set("0123456789abcdef")


def test_a_delete_has_no_public_id() -> None:
    """It leaves no item that could be looked at."""
    delete = op.Delete(op.Context(), THINGS, {"id": "1"})
    assert public_id(identified(delete)) is None
    assert public_id(identified(op.TransactWrite(op.Context(), (delete,)))) is None


@given(st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text and text.isprintable()))
def test_the_public_id_names_table_key_and_id(key: str) -> None:
    """What callers get leads back to the item."""
    create = identified(op.Create(op.Context(), THINGS, {"id": key}))
    request = resolve_request(public_id(create), op.Context())
    assert (request.table_name, request.key, request.operation_id) == (
        "things",
        {"id": key},
        create.context.operation_id,
    )


@given(st.integers(0, 60), st.sampled_from("AZaz09-_"))
def test_a_changed_id_is_refused(place: int, letter: str) -> None:
    """Damage never leads to another item."""
    text = str(public_id(identified(op.Create(op.Context(), THINGS, {"id": "1"}))))
    changed = text[:place] + letter + text[place + 1 :]
    if changed != text:
        with pytest.raises(errors.InvalidArgument):
            resolve_request(changed, op.Context())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_processes_count_apart() -> None:
    """A child that was forked counts from a number of its own."""
    new_operation_id()
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        os.write(writable, new_operation_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs, ours = os.read(readable, 24).decode()[11:], new_operation_id()[11:]
    os.close(readable)
    os.close(writable)
    assert abs(int(theirs, 16) - int(ours, 16)) > 1_000
