"""Clients as generators: a seeded scheduler carries out their requests in any order, and loses answers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from attrs import define, evolve, field

from core.tests.fallback.clients import Bank
from core.tests.fallback.serial import Call, State, explained
from isthmus import F
from isthmus import operations as op
from isthmus.errors import ConditionFailed, Conflict, IsthmusError, OutcomeUnknown, TransactionFailed
from isthmus.fallback.backend import FallbackBackend
from isthmus.fallback.options import FallbackOptions
from isthmus.fallback.records import Record
from isthmus.fallback.session import Native, Session
from isthmus.layers import Sleep

NAMES = ("x", "y", "z")
TABLE = Bank().accounts()
DO = TABLE.actions
KINDS = (*["append"] * 5, "put", "create", "delete", "present", "present", "seen", "missing")
NEVER = 10**9
STEPS = 12
"""About as many as a call takes."""
Value = tuple[str, ...] | None


class AnswerLost(Exception):
    """What a client sees of a request whose answer never came."""


class AnyLease:
    """Leases that run out at any moment, also those of clients that are well."""

    def __init__(self, random: Random, chance: float) -> None:
        self.random = random
        self.chance = chance
        self.monotonic = lambda: 0.0

    def run_out(self, _record: Record) -> bool:
        """By chance."""
        return self.random.random() < self.chance

    def overdue(self, _record: Record) -> bool:
        """Never: nobody has to look twice."""
        return False


def actions_of(random: Random, tag: str) -> list[tuple[str, op.Action, Callable[[Value], Any]]]:
    """Random actions over distinct items: the item, the action, and its meaning: a value, or a failure as ``Wrong``."""
    return [one_action(random, name, tag) for name in random.sample(NAMES, random.choice((2, 2, 2, 3)))]


class Wrong(Exception):
    """The action can't be done."""


def one_action(random: Random, name: str, tag: str) -> tuple[str, op.Action, Callable[[Value], Any]]:
    """A random action on one item."""
    kind = random.choice(KINDS)
    if kind == "append":
        return (
            name,
            DO.update(id=name, append={"l": [tag]}, create_lists=True, upsert=True),
            lambda v: (*(v or ()), tag),
        )
    if kind == "put":
        return name, DO.put({"id": name, "l": [tag]}), lambda _v: (tag,)
    if kind == "create":
        return name, DO.create({"id": name, "l": [tag]}), lambda v: needs(v is None, (tag,))
    if kind == "delete":
        return name, DO.delete(id=name), lambda _v: None
    if kind == "present":
        return name, DO.check(id=name, when=F.l.exists()), lambda v: needs(v is not None, v)
    if kind == "missing":
        return name, DO.check(id=name, when=F.l.not_exists()), lambda v: needs(v is None, v)
    return name, DO.check(id=name, when=F.l.contains("start")), lambda v: needs(v is not None and "start" in v, v)


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
    """A store, a few calls over it, and what chance does to them.

    :param loss: how often the answer to a swap is lost
    :param death: how often a client dies at a step
    """

    seed: int
    calls: int = 4
    loss: float = 0.0
    death: float = 0.01
    kinds: Sequence[str] = ("write", "write", "write", "snapshot", "get", "single")
    bank: Bank = field(factory=Bank)
    history: list[Call] = field(factory=list)
    late: list[Callable[[], Any]] = field(factory=list)
    now: int = 0
    backend: FallbackBackend = field(init=False)

    def __attrs_post_init__(self) -> None:
        store = self.bank.store
        options = FallbackOptions(bulk_attempts=1, snapshot_rounds=2, sweep_s=1e9)
        self.backend = FallbackBackend(store, store.swaps, options, self.bank.wall)
        self.backend.shared.swept_at = 0.0
        store.execute(op.CreateTable(op.Context(), TABLE.schema))

    def run(self) -> bool:
        """Whether what happened has an explanation, after everybody died or ended and others recovered."""
        random = Random(self.seed)
        object.__setattr__(self.bank.store.item_store, "bulk", random.random() < 0.5)
        start: dict[str, Value] = {name: ("start",) if random.random() < 0.8 else None for name in NAMES}
        for name, value in start.items():
            if value is not None:
                self.backend.execute(DO.put({"id": name, "l": list(value)}))
        waiting = [self._client(random, f"t{number}") for number in range(self.calls)]
        self._play(random, waiting)
        for request in self.late:
            if random.random() < 0.7:
                request()
        self._recover()
        physical = self.bank.physical()
        end: State = {name: value_of(physical.get(name)) for name in NAMES}
        return explained(self.history, start, end)

    def _recover(self) -> None:
        """Let somebody end what is left, for whom every lease has run out; see that nothing is left then."""
        backend = self.backend
        backend.shared.leases = AnyLease(Random(0), 1.0)  # type: ignore[assignment]
        backend.recover(op.Context(), None)
        for name in self.bank.locked():  # by late requests, whose records are gone
            with suppress(ConditionFailed):
                backend.execute(DO.delete(id=name, when=F.l == "never"))
        self.bank.wall.now += 10_000
        backend.recover(op.Context(), None)
        assert self.bank.locked() == []
        assert self.bank.records() == []

    def _play(self, random: Random, clients: list[Client]) -> None:
        """Let the first client that is left go on; now and then it has to go behind all others.

        Few such changes, at any step, find more than many: what breaks needs two or three of them.
        """
        changes = {random.randrange(STEPS * len(clients)) for _ in range(random.choice((1, 2, 3, 20)))}
        while clients:
            self.now += 1
            if self.late and random.random() < 0.1:
                self.late.pop(random.randrange(len(self.late)))()
            if self.now in changes:
                clients.append(clients.pop(0))
            client = clients[0]
            client.call.called = min(client.call.called, self.now)
            if random.random() < self.death or not self._step(random, client):
                clients.pop(0)  # it ended, or died

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
        backend = self.backend
        if isinstance(request, Native):
            return backend.inner.execute(request.operation)

        def send() -> Any:
            return backend.store.send(request, None)

        if request.function == self.bank.store.cas and random.random() < self.loss:
            chance = random.random()
            if chance < 0.4:
                send()
            elif chance < 0.7:
                self.late.append(send)
            return AnswerLost()
        return send()

    def _ended(self, client: Client, answer: Any) -> None:
        client.call.answered = self.now
        self.history += [evolve(call, called=client.call.called, answered=self.now) for call in client.judge(answer)]
        if not isinstance(answer, OutcomeUnknown):
            self.history.remove(client.call)

    # ---- calls ----

    def _client(self, random: Random, tag: str) -> Client:
        kind = random.choice(self.kinds)
        operation, call, judge = {"write": transaction, "snapshot": snapshot, "get": get, "single": single}[kind](
            random, tag
        )
        session = Session(self.backend.shared, operation.context)
        session.shared.leases = AnyLease(random, 0.3)  # type: ignore[assignment]
        self.history.append(call)
        return Client(call, self.backend._answers[type(operation)](session, operation), session, judge)


Made = tuple[op.Operation, Call, Callable[[Any], list[Call]]]


def transaction(random: Random, tag: str) -> Made:
    """A transactional write."""
    made = actions_of(random, tag)
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

    return op.TransactWrite(op.Context(), tuple(action for _n, action, _m in made)), Call(tag, effect, NEVER), judge


def refused(name: str, meaning: Callable[[Value], Any]) -> Callable[[State], State | None]:
    """What a reason says: at some moment the action could not be done."""

    def effect(state: State) -> State | None:
        try:
            meaning(state[name])
        except Wrong:
            return state
        return None

    return effect


def snapshot(random: Random, tag: str) -> Made:
    """A transactional read."""
    names = random.sample(NAMES, random.choice((2, 3, 3)))

    def judge(answer: Any) -> list[Call]:
        if isinstance(answer, Exception):
            return []
        seen = [value_of(item) for item in answer.items]
        return [Call(tag, lambda state: state if [state[name] for name in names] == seen else None, 0, fate="must")]

    gets = tuple(DO.get(id=name) for name in names)
    return op.TransactGet(op.Context(), gets), Call(tag, lambda state: state, NEVER), judge


def get(random: Random, tag: str) -> Made:
    """A read of one item."""
    name = random.choice(NAMES)

    def judge(answer: Any) -> list[Call]:
        if isinstance(answer, Exception):
            return []
        seen = value_of(answer.item)
        return [Call(tag, lambda state: state if state[name] == seen else None, 0, fate="must")]

    return DO.get(id=name), Call(tag, lambda state: state, NEVER), judge


def single(random: Random, tag: str) -> Made:
    """A write of one item."""
    name, action, meaning = one_action(random, random.choice(NAMES), tag)
    while isinstance(action, op.Check):
        name, action, meaning = one_action(random, name, tag)

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

    return action, Call(tag, effect, NEVER), judge
