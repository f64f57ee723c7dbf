"""A client dies at any step of a transaction: the money is all there, and whoever comes next can go on."""

from __future__ import annotations

from functools import partial
from threading import Thread
from typing import Any

import pytest

from core.tests.fallback.clients import Bank, Killed, at, fallback_of, kill, recover_often, steps_of, transfer, watch
from isthmus import Database, connect

BEFORE = {"a": 100, "b": 100, "c": 0}
AFTER = {"a": 90, "b": 110, "c": 0}


def with_bulk(bank: Bank, *, bulk: bool) -> None:
    """Let the store take several swaps at once, or one by one."""
    object.__setattr__(bank.store.item_store, "bulk", bulk)


def all_steps(bulk: bool, token: str | None) -> list[str]:
    """The steps of a transfer that nobody disturbs."""
    bank = Bank()
    with_bulk(bank, bulk=bulk)
    table = bank.accounts(**BEFORE)
    return steps_of(table.database, lambda: transfer(table, token=token))


CASES = [
    pytest.param(bulk, token, step, id=f"{'bulk' if bulk else 'ordered'}-{'token' if token else 'plain'}-{step}")
    for bulk in (False, True)
    for token in (None, "t1")
    for step in all_steps(bulk, token)
]


@pytest.mark.parametrize(("bulk", "token", "step"), CASES)
class TestKilled:
    """The client is gone for good at one step."""

    def died(self, bulk: bool, token: str | None, step: str) -> tuple[Bank, dict[str, int]]:
        """The store after that, and what is on the accounts: before, or after."""
        bank = Bank()
        with_bulk(bank, bulk=bulk)
        table = bank.accounts(**BEFORE)
        watch(table.database, at(step, kill))
        with pytest.raises(Killed):
            transfer(table, token=token)
        return bank, AFTER if committed(step) else BEFORE

    def test_readers_see_all_or_nothing_at_once(self, bulk: bool, token: str | None, step: str) -> None:
        """Another client's reads, together and alone, neither wait nor see half of it."""
        bank, expected = self.died(bulk, token, step)
        table = bank.table(bank.patient())
        found = table.database.transact_get([table.actions.get(id=name) for name in expected])
        assert {item["id"]: item["n"] for item in found if item} == expected
        assert {name: table.get(id=name)["n"] for name in expected} == expected

    def test_a_writer_goes_on(self, bulk: bool, token: str | None, step: str) -> None:
        """Writers of every item proceed, and nothing is lost or done twice."""
        bank, expected = self.died(bulk, token, step)
        table = bank.table(bank.client())
        for name in expected:
            table.update(id=name, add={"n": 1})
        bank.recovered()
        assert bank.amounts() == {name: amount + 1 for name, amount in expected.items()}

    def test_a_transaction_goes_on(self, bulk: bool, token: str | None, step: str) -> None:
        """The same for another transaction over the same items."""
        bank, expected = self.died(bulk, token, step)
        transfer(bank.table(bank.client()), 1)
        bank.recovered()
        assert bank.amounts() == {"a": expected["a"] - 1, "b": expected["b"] + 1, "c": 0}

    def test_recovery_leaves_nothing(self, bulk: bool, token: str | None, step: str) -> None:
        """No lock, no placeholder and no record is left."""
        bank, expected = self.died(bulk, token, step)
        bank.recovered()
        assert bank.amounts() == expected

    def test_the_same_token_is_applied_once(self, bulk: bool, token: str | None, step: str) -> None:
        """Whoever repeats the call of the dead client finds it done, or does it."""
        bank, expected = self.died(bulk, token, step)
        result: Any = transfer(bank.table(bank.client()), token=token or "t2")
        assert result.replayed is (token is not None and expected == AFTER)
        bank.recovered()
        twice = token is None and expected == AFTER
        assert bank.amounts() == ({"a": 80, "b": 120, "c": 0} if twice else AFTER)


def committed(step: str) -> bool:
    """Whether the commit was sent before this step."""
    place, _, name = step.partition("_")
    return name.startswith(("apply", "finish")) or (name == "commit" and place == "after")


def test_steps_have_names() -> None:
    """Every request of a transaction is a step, so that the tests above miss none."""
    names = [name for name in all_steps(False, None) if name.startswith("after")]
    assert "after_renew" in names
    assert [name for name in names if name != "after_renew"] == [
        "after_look", "after_create_records", "after_record", "after_lock_1", "after_lock_2", "after_lock_3",
        "after_commit", "after_apply_1", "after_apply_2", "after_apply_3", "after_finish",
    ]  # fmt: skip
    assert [name for name in all_steps(True, "t1") if name.startswith("before")] == [
        "before_token", "before_look", "before_create_records", "before_record", "before_lock", "before_commit",
        "before_apply", "before_finish",
    ]  # fmt: skip


def test_a_recovery_that_dies_is_taken_up_by_the_next() -> None:
    """Whoever recovers may die as well, at each of its steps."""

    def dead(step: str) -> Bank:
        bank = Bank()
        table = bank.accounts(**BEFORE)
        watch(table.database, at(step, kill))
        with pytest.raises(Killed):
            transfer(table)
        return bank

    tried = 0
    for step, expected in (("after_lock_2", BEFORE), ("after_commit", AFTER), ("after_apply_1", AFTER)):
        bank = dead(step)
        helper = bank.client()
        names = set(steps_of(helper, partial(recover_often, helper)))
        for name in sorted(names):
            bank = dead(step)
            helper = bank.client()
            watch(helper, at(name, kill))
            with pytest.raises(Killed):
                recover_often(helper)
            bank.recovered()
            assert bank.amounts() == expected
            tried += 1
    assert tried >= 20


def test_eight_recover_a_hundred_at_once() -> None:
    """Each effect comes once, however many help."""
    bank = Bank()
    table = bank.accounts(**{f"{n}": 100 for n in range(200)})
    for number in range(100):
        client = bank.client()
        dying = bank.table(client)
        watch(client, at("after_commit" if number % 2 else "after_lock_2", kill))
        with pytest.raises(Killed):
            client.transact_write([
                dying.actions.update(id=f"{2 * number}", add={"n": -1}),
                dying.actions.update(id=f"{2 * number + 1}", add={"n": 1}),
            ])  # fmt: skip
    helpers = [bank.client() for _ in range(8)]
    threads = [Thread(target=partial(recover_often, helper)) for helper in helpers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bank.recovered()
    expected = {f"{n}": 100 + ((-1, 1)[n % 2] if n // 2 % 2 else 0) for n in range(200)}
    assert bank.amounts() == expected
    assert table.scan().count() == 200


def test_recovery_tells_what_it_did() -> None:
    """Numbers of transactions that were finished, undone, left alone and forgotten."""

    def told(client: Database) -> dict[str, int]:
        return {name: number for name, number in client.recover().to_dict().items() if number}

    bank = Bank()
    table = bank.accounts(**BEFORE)
    watch(table.database, at("after_commit", kill))
    with pytest.raises(Killed):
        transfer(table)
    second = bank.client().table("others", partition_key="id").ensure()
    watch(second.database, at("after_lock_1", kill))
    with pytest.raises(Killed):
        second.database.transact_write([second.actions.put({"id": "1"}), second.actions.put({"id": "2"})])
    helper = bank.patient()
    assert told(helper) == {"examined": 2, "left": 2}
    fallback_of(helper).shared.leases.monotonic = lambda: 100.0
    assert told(helper) == {"examined": 2, "finished": 1, "undone": 1}
    assert told(helper) == {"examined": 2}
    bank.wall.now += fallback_of(helper).shared.options.retention_s + 1
    assert told(helper) == {"examined": 2, "forgotten": 2}
    assert told(helper) == {}


def test_one_call_recovers_what_is_long_dead() -> None:
    """A newcomer has seen nothing before: it looks twice."""
    bank = Bank()
    table = bank.accounts(**BEFORE)
    watch(table.database, at("after_commit", kill))
    with pytest.raises(Killed):
        transfer(table)
    bank.wall.now += 60
    newcomer = connect(bank.store, clock=bank.wall)
    assert newcomer.recover().finished == 1
    assert bank.amounts() == AFTER
