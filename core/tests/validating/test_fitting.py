"""Whether stored items fit the classes of repositories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import attrs
import pytest

import isthmus
from isthmus.errors import InvalidArgument
from isthmus.fitting import fits
from isthmus.repository import Model
from isthmus.validating import Validation, validate_table


@attrs.define
class Address:
    """A nested class."""

    city: str
    lines: list[int] = attrs.field(factory=list)


@attrs.define
class User:
    """An entity with keys of templates."""

    __isthmus__: ClassVar[Model] = Model(
        table="shop", partition_key="ORG#{org}", sort_key="USER#{id}", discriminator="user"
    )
    org: str
    id: str
    age: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    born: date | None = None
    price: Decimal = Decimal(1)
    home: Address | None = None


@attrs.define
class Order:
    """Another entity of the same table."""

    __isthmus__: ClassVar[Model] = Model(
        table="shop", partition_key="ORG#{org}", sort_key="ORDER#{number}", discriminator="order"
    )
    org: str
    number: str
    total: int


@pytest.fixture
def database() -> Iterator[isthmus.Database]:
    """With a user and an order as they should be."""
    with isthmus.connect("memory://") as opened:
        opened.repository(User).ensure().put(User("acme", "1", 5, date(2000, 1, 1), home=Address("Rome", [1])))
        opened.repository(Order).put(Order("acme", "1", 10))
        yield opened


def validated(database: isthmus.Database, *kinds: type[Any]) -> Validation:
    """The shop, with these classes."""
    return validate_table(database.tables.open("shop"), check=fits(*map(database.repository, kinds)))


def test_entities_fit_their_own_class(database: isthmus.Database) -> None:
    """What a repository writes has no deviation."""
    assert validated(database, User, Order) == Validation("shop", items=2)


@pytest.mark.parametrize(
    ("changes", "attribute", "stored", "wanted"),
    [
        ({"age": "five"}, "age", "string", "int"),
        ({"born": 5}, "born", "number", "date"),
        ({"price": "dear"}, "price", "string", "Decimal"),
        ({"home": "Rome"}, "home", "string", "Address"),
        ({"home": {"city": "Rome", "lines": [1, "x"]}}, "home.lines[1]", "string", "int"),
        ({"home": {}}, "home.city", "missing", "str"),
    ],
)
def test_a_field_that_does_not_fit(
    database: isthmus.Database, changes: dict[str, Any], attribute: str, stored: str, wanted: str
) -> None:
    """By its path, with the stored type and the wanted one, and no value."""
    database.tables.open("shop").update(pk="ORG#acme", sk="USER#1", set=changes)
    (found,) = validated(database, User, Order).deviations
    assert (found.kind, found.attribute, found.stored) == ("model", attribute, stored)
    assert wanted in str(found.wanted)
    assert found.key == {"pk": "ORG#acme", "sk": "USER#1"}
    assert "five" not in found.message


def test_every_field_is_reported(database: isthmus.Database) -> None:
    """Not the first one alone."""
    shop = database.tables.open("shop")
    shop.update(pk="ORG#acme", sk="USER#1", set={"age": "x", "price": "y"}, remove=["id"])
    assert {one.attribute for one in validated(database, User).deviations} == {"age", "price", "id"}


def test_the_classes_own_validators_count(database: isthmus.Database) -> None:
    """They see whole entities."""
    database.tables.open("shop").update(pk="ORG#acme", sk="USER#1", set={"age": -1})
    (found,) = validated(database, User).deviations
    assert "refuses" in found.message


def test_keys_that_the_fields_do_not_make(database: isthmus.Database) -> None:
    """A repository would never find such an item again."""
    database.tables.open("shop").update(pk="ORG#acme", sk="USER#1", set={"org": "other"})
    (found,) = validated(database, User).deviations
    assert (found.attribute, found.message) == ("pk", "'pk' is not what User makes of org")


def test_items_of_other_classes_are_left_alone(database: isthmus.Database) -> None:
    """Only those that were asked for are measured."""
    database.tables.open("shop").update(pk="ORG#acme", sk="ORDER#1", set={"total": "x"})
    assert validated(database, User).clean
    assert not validated(database, Order).clean


def test_an_older_shape_is_upgraded_first(database: isthmus.Database) -> None:
    """What the upgrade makes of it counts; one that fails is a deviation."""

    def upgrade(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "age": int(item["age"])}

    model = attrs.evolve(User.__isthmus__, upgrade=upgrade)
    users, shop = database.repository(User, model=model), database.tables.open("shop")
    shop.update(pk="ORG#acme", sk="USER#1", set={"age": "7"})
    assert validate_table(shop, check=fits(users)).clean
    shop.update(pk="ORG#acme", sk="USER#1", set={"age": "seven"})
    (found,) = validate_table(shop, check=fits(users)).deviations
    assert "can't be upgraded" in found.message


def test_no_class_is_refused() -> None:
    """It would find everything fine."""
    with pytest.raises(InvalidArgument):
        fits()
