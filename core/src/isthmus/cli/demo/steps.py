"""The demo as a list of steps. Each uses the public API only, on any two databases, and tells what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from attrs import define, field, frozen

from isthmus import copying
from isthmus.bound_table import BoundTable
from isthmus.cli.demo.cities import BY_POPULATION, CITIES
from isthmus.database import Database
from isthmus.errors import ConditionFailed, IntegrityError, TransactionFailed
from isthmus.expressions import F
from isthmus.values import Item

BATCH = 1_000
POINT_READS = 2_000
PAGE = 50
MOVED = 1_000

Fact = tuple[str, object]


@frozen
class Outcome:
    """What a step did.

    :param count: how many ``unit`` were handled, for the rate
    :param digest: of all items, where the step found it out
    """

    count: int
    unit: str
    facts: Sequence[Fact] = ()
    digest: str = ""


@define
class Demo:
    """Everything that the steps share.

    :param items: what is loaded
    :param country: the country with the most cities, found while loading
    """

    source: Database
    target: Database
    items: Iterable[Item]
    progress: copying.Reporter | None = None
    country: str = ""
    keys: list[Item] = field(factory=list)

    @property
    def cities(self) -> BoundTable:
        """The table of the demo."""
        return self.source.table(CITIES)

    def largest(self, count: int) -> list[Item]:
        """The most populous cities of the country."""
        found = self.cities.query(index=BY_POPULATION, country=self.country).descending().limit(count)
        # An index of DynamoDB may show an item as it was a moment ago.
        return [self.cities.get(CITIES.key_of(item)) for item in found]


@frozen
class Step:
    """A step: what it shows, and the function that does it."""

    title: str
    run: Callable[[Demo], Outcome]


def load(demo: Demo) -> Outcome:
    """Batches of puts."""
    table, remaining, count = demo.cities.ensure(), iter(demo.items), 0
    per_country: dict[Any, int] = {}
    while batch := list(islice(remaining, BATCH)):
        table.put_many(batch).raise_for_failures()
        count += len(batch)
        demo.keys += [CITIES.key_of(item) for item in batch]
        for item in batch:
            per_country[item["country"]] = per_country.get(item["country"], 0) + 1
        if demo.progress is not None:
            demo.progress(copying.Progress("load", CITIES.name, count))
    demo.country = str(max(per_country, key=lambda country: per_country[country]))
    return Outcome(count, "cities", [("countries", len(per_country)), ("most cities in", demo.country)])


def read_points(demo: Demo) -> Outcome:
    """Gets of single items, spread over the table."""
    keys = demo.keys[:: max(1, len(demo.keys) // POINT_READS)]
    found = [demo.cities.get(key, select=["name"]) for key in keys]
    return Outcome(len(found), "gets", [("first", found[0]["name"]), ("last", found[-1]["name"])])


def query_range(demo: Demo) -> Outcome:
    """A range of an index, largest first: the condition on the index's sort key narrows what is read."""
    query = demo.cities.query(index=BY_POPULATION, country=demo.country)
    found = list(query.where(F.population.between(100_000, 200_000)).descending())
    facts = [_people(item, item) for item in found[:3]]
    return Outcome(len(found), "cities", [("country", demo.country), *facts])


def filter_items(demo: Demo) -> Outcome:
    """A filter over a nested number and a set."""
    southern = F.location.latitude < 0
    well_known = F.other_names.size() >= 20
    found = list(demo.cities.scan().where(southern & well_known).select("name", "location"))
    facts: list[Fact] = [("condition", "south of the equator, 20 other names or more"), ("found", len(found))]
    return Outcome(len(demo.keys), "cities examined", facts)


def page_through(demo: Demo) -> Outcome:
    """Pages with cursors: each page could be asked for by another process."""
    query = demo.cities.query(country=demo.country)
    pages, items, cursor = 0, 0, None
    while True:
        page = query.page(size=PAGE, cursor=cursor)
        pages, items, cursor = pages + 1, items + len(page.items), page.cursor
        if cursor is None:
            break
    expected = query.count()
    if items != expected:
        raise IntegrityError(f"paging gave {items} items where the count is {expected}: report this as a defect")
    return Outcome(items, "cities", [("pages", pages), ("cities by count()", expected)])


def update_conditionally(demo: Demo) -> Outcome:
    """Updates that hold only under a condition."""
    cities = demo.largest(100)
    for city in cities:
        demo.cities.update(
            CITIES.key_of(city), add={"visits": 1}, set={F.location.seen: True}, when=F.name == city["name"]
        )
    changed = demo.cities.get(CITIES.key_of(cities[0]))
    return Outcome(len(cities), "updates", [("city", changed["name"]), ("visits", changed["visits"])])


def fail_condition(demo: Demo) -> Outcome:
    """A condition that is false: the error carries the item as it is."""
    city = demo.largest(1)[0]
    try:
        demo.cities.update(CITIES.key_of(city), set={"name": "Nowhere"}, when=F.visits > 1_000_000)
    except ConditionFailed as error:
        current = error.current or {}
        return Outcome(1, "update", [("refused with", error.code), ("current name", current.get("name"))])
    raise IntegrityError("an update whose condition is false went through: report this as a defect")


def transact(demo: Demo) -> Outcome:
    """Two changes that happen together."""
    first, second = demo.largest(2)
    demo.source.transact_write(_moving(demo, first, second, MOVED))
    facts = [_people(city, demo.cities.get(CITIES.key_of(city))) for city in (first, second)]
    return Outcome(2, "changes", facts)


def fail_transaction(demo: Demo) -> Outcome:
    """A transaction of which one part is refused: nothing happens, and each part has its reason."""
    first, second = demo.largest(2)
    too_many = int(str(first["population"])) + 1
    try:
        demo.source.transact_write(_moving(demo, first, second, too_many))
    except TransactionFailed as error:
        reasons: list[Fact] = [
            (f"action {place}", reason.code if reason else "fine") for place, reason in enumerate(error.reasons)
        ]
        if demo.largest(2) != [first, second]:
            raise IntegrityError("a transaction that failed left a trace: report this as a defect") from error
        return Outcome(2, "changes refused", [*reasons, ("changed", "nothing")])
    raise IntegrityError("a transaction with a false condition went through: report this as a defect")


def _people(before: Item, after: Item) -> Fact:
    """A city and its population, or how that changed."""
    old, new = (f"{int(str(item['population'])):,}" for item in (before, after))
    return str(after["name"]), new if old == new else f"{old} -> {new}"


def _moving(demo: Demo, giver: Item, taker: Item, people: int) -> list[Any]:
    actions = demo.cities.actions
    return [
        actions.update(CITIES.key_of(giver), add={"population": -people}, when=F.population >= people),
        actions.update(CITIES.key_of(taker), add={"population": people}),
    ]


def copy_and_verify(demo: Demo) -> Outcome:
    """A copy into the second store, and the digests of both sides."""
    (result,) = copying.copy(demo.source, demo.target, [CITIES.name], verify=True, progress=demo.progress)
    check = result.verification
    if check is None or not check.equal:
        raise IntegrityError("the copy differs from its source: report this as a defect")
    facts: list[Fact] = [
        ("digest of both sides", check.source.digest[:32] + "…"),
        ("items in the copy", check.target.items),
    ]
    return Outcome(result.written, "cities", facts, check.source.digest)


STEPS: tuple[Step, ...] = (
    Step("load", load),
    Step("point reads", read_points),
    Step("range query on an index", query_range),
    Step("filter", filter_items),
    Step("pages with cursors", page_through),
    Step("conditional updates", update_conditionally),
    Step("failed condition", fail_condition),
    Step("transaction", transact),
    Step("failed transaction", fail_transaction),
    Step("copy and verify", copy_and_verify),
)
