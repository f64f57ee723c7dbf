"""Clients as generators: a seeded scheduler carries out their requests in any order, and loses answers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from random import Random
from typing import Any

from attrs import define, evolve, field

from core.tests.fallback.clients import Bank, fallback_of
from core.tests.fallback.serial import Call, State, explained
from isthmus import BoundTable, F
from isthmus import operations as op
from isthmus.errors import Conflict, IsthmusError, OutcomeUnknown, TransactionFailed
from isthmus.fallback.records import Record
from isthmus.fallback.session import Native, Session
from isthmus.layers import Sleep

NAMES = ("x", "y", "z")
Value = tuple[str, ...] | None


class AnswerLost(Exception):
    """What a client sees of a request whose answer never came."""


class AnyLease:
    """Leases that run out at any moment, also those of clients that are well."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.monotonic = lambda: 0.0

    def run_out(self, _record: Record) -> bool:
        """By chance."""
        return self.random.random() < 0.3


def actions_of(table: BoundTable, random: Random, tag: str) -> list[tuple[str, op.Action, Callable[[Value], Any]]]:
    """Random actions over distinct items: the item, the action, and its meaning: a value, or a failure as ``Wrong``."""
    return [one_action(table, random, name, tag) for name in random.sample(NAMES, random.choice((1, 2, 2, 3)))]


class Wrong(Exception):
    """The action can't be done."""


def one_action(table: BoundTable, random: Random, name: str, tag: str) -> tuple[str, op.Action, Callable[[Value], Any]]:
    """A random action on one item."""
    do = table.actions
    kind = random.choice(("append", "append", "put", "create", "delete", "present", "missing", "seen"))
    if kind == "append":
        return (
            name,
            do.update(id=name, append={"l": [tag]}, create_lists=True, upsert=True),
            lambda v: (*(v or ()), tag),
        )
    if kind == "put":
        return name, do.put({"id": name, "l": [tag]}), lambda _v: (tag,)
    if kind == "create":
        return name, do.create({"id": name, "l": [tag]}), lambda v: needs(v is None, (tag,))
    if kind == "delete":
        return name, do.delete(id=name), lambda _v: None
    if kind == "present":
        return name, do.check(id=name, when=F.l.exists()), lambda v: needs(v is not None, v)
    if kind == "missing":
        return name, do.check(id=name, when=F.l.not_exists()), lambda v: needs(v is None, v)
    return name, do.check(id=name, when=F.l.contains("start")), lambda v: needs(v is not None and "start" in v, v)


def needs(condition: bool, value: Any) -> Any:
    """The value, where the condition holds."""
    if not condition:
        raise Wrong
    return value


def value_of(item: Any) -> Value:
    """What an item holds."""
    return None if item is None else tuple(item["l"])


@define(eq=False)
class Client:
    """One call at work."""

    call: Call
    flow: Generator[Any, Any, Any]
    session: Session
    judge: Callable[[Any], list[Call]]
    answer: Any = None
    started: bool = False


@define(eq=False)
class World:
    """A store, a few calls over it, and what chance does to them."""

    seed: int
    calls: int = 4
    loss: float = 0.0
    bank: Bank = field(factory=Bank)
    history: list[Call] = field(factory=list)
    late: list[Callable[[], Any]] = field(factory=list)
    now: int = 0

    def run(self) -> bool:
        """Whether what happened has an explanation, after everybody died or ended and others recovered."""
        random = Random(self.seed)
        table = self.bank.accounts()
        bulk = random.random() < 0.5
        object.__setattr__(self.bank.store.item_store, "bulk", bulk)
        start: dict[str, Value] = {name: ("start",) if random.random() < 0.6 else None for name in NAMES}
        for name, value in start.items():
            if value is not None:
                table.put({"id": name, "l": list(value)})
        waiting = [self._client(random, f"t{number}") for number in range(self.calls)]
        self._play(random, waiting)
        for request in self.late:
            if random.random() < 0.7:
                request()
        self.bank.recovered()
        physical = self.bank.physical()
        end: State = {name: value_of(physical.get(name)) for name in NAMES}
        return explained(self.history, start, end)

    def _play(self, random: Random, waiting: list[Client]) -> None:
        working: list[Client] = []
        while waiting or working:
            self.now += 1
            if self.late and random.random() < 0.3:
                self.late.pop(random.randrange(len(self.late)))()
            if waiting and (not working or random.random() < 0.25):
                working.append(waiting.pop())
                working[-1].call.called = self.now
            client = random.choice(working)
            if random.random() < self.loss / 8 or not self._step(random, client):
                working.remove(client)  # it ended, or died

    def _step(self, random: Random, client: Client) -> bool:
        """Let a client take its next step; whether it goes on."""
        try:
            if isinstance(client.answer, Exception):
                request = client.flow.throw(client.answer)
            else:
                request = client.flow.send(client.answer)
        except StopIteration as stop:
            self._ended(client, stop.value)
            return False
        except IsthmusError as error:
            self._ended(client, error)
            return False
        client.answer = self._carried_out(random, request, client)
        return True

    def _carried_out(self, random: Random, request: Any, client: Client) -> Any:
        if isinstance(request, Sleep):
            return None
        backend = fallback_of(self.database)
        if isinstance(request, Native):
            return backend.inner.execute(request.operation)
        send = lambda: backend.store.send(request, None)  # noqa: E731  # perhaps later
        if request.function == self.bank.store.cas and random.random() < self.loss:
            chance = random.random()
            if chance < 0.4:
                send()
            elif chance < 0.7:
                self.late.append(send)
            return AnswerLost()
        return send()

    @property
    def database(self) -> Any:
        """Any client: all share the store."""
        return self._database

    _database: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._database = self.bank.client(bulk_attempts=1, snapshot_rounds=2)

    def _ended(self, client: Client, answer: Any) -> None:
        client.call.answered = self.now
        self.history += [evolve(call, called=client.call.called, answered=self.now) for call in client.judge(answer)]
        if not isinstance(answer, OutcomeUnknown):
            self.history.remove(client.call)

    # ---- calls ----

    def _client(self, random: Random, tag: str) -> Client:
        table = self.bank.table(self.database)
        kind = random.choice(("write", "write", "write", "snapshot", "get", "single"))
        operation, call, judge = {"write": transaction, "snapshot": snapshot, "get": get, "single": single}[kind](
            table, random, tag
        )
        backend = fallback_of(self.database)
        session = Session(backend.shared, operation.context)
        session.shared.leases = AnyLease(random)  # type: ignore[assignment]
        self.history.append(call)
        return Client(call, backend._answers[type(operation)](session, operation), session, judge)


Made = tuple[op.Operation, Call, Callable[[Any], list[Call]]]


def transaction(table: BoundTable, random: Random, tag: str) -> Made:
    """A transactional write."""
    made = actions_of(table, random, tag)
    members = [(name, meaning) for name, _action, meaning in made]

    def effect(state: State) -> State | None:
        try:
            return {**state, **{name: meaning(state[name]) for name, meaning in members}}
        except Wrong:
            return None

    def judge(answer: Any) -> list[Call]:
        if isinstance(answer, TransactionFailed):
            wrong = [member for member, reason in zip(members, answer.reasons, strict=True) if reason is not None]
            return [Call(f"{tag} refused", refused(*member), 0, fate="must") for member in wrong]
        if isinstance(answer, (Conflict, OutcomeUnknown)):
            return []
        assert not isinstance(answer, Exception), answer
        return [Call(tag, effect, 0, fate="must")]

    return op.TransactWrite(op.Context(), tuple(action for _n, action, _m in made)), Call(tag, effect, 0), judge


def refused(name: str, meaning: Callable[[Value], Any]) -> Callable[[State], State | None]:
    """What a reason says: at some moment the action could not be done."""

    def effect(state: State) -> State | None:
        try:
            meaning(state[name])
        except Wrong:
            return state
        return None

    return effect


def snapshot(table: BoundTable, random: Random, tag: str) -> Made:
    """A transactional read."""
    names = random.sample(NAMES, random.choice((2, 3, 3)))

    def judge(answer: Any) -> list[Call]:
        if isinstance(answer, Exception):
            return []
        seen = [value_of(item) for item in answer.items]
        return [Call(tag, lambda state: state if [state[name] for name in names] == seen else None, 0, fate="must")]

    gets = tuple(table.actions.get(id=name) for name in names)
    return op.TransactGet(op.Context(), gets), Call(tag, lambda state: state, 0), judge


def get(table: BoundTable, random: Random, tag: str) -> Made:
    """A read of one item."""
    name = random.choice(NAMES)

    def judge(answer: Any) -> list[Call]:
        if isinstance(answer, Exception):
            return []
        seen = value_of(answer.item)
        return [Call(tag, lambda state: state if state[name] == seen else None, 0, fate="must")]

    return table.actions.get(id=name), Call(tag, lambda state: state, 0), judge


def single(table: BoundTable, random: Random, tag: str) -> Made:
    """A write of one item."""
    name, action, meaning = one_action(table, random, random.choice(NAMES), tag)
    while isinstance(action, op.Check):
        name, action, meaning = one_action(table, random, name, tag)

    def effect(state: State) -> State | None:
        try:
            return {**state, name: meaning(state[name])}
        except Wrong:
            return None

    def judge(answer: Any) -> list[Call]:
        if isinstance(answer, (Conflict, OutcomeUnknown)):
            return []
        if isinstance(answer, Exception):
            return [Call(f"{tag} refused", refused(name, meaning), 0, fate="must")]
        return [Call(tag, effect, 0, fate="must")]

    return action, Call(tag, effect, 0), judge
