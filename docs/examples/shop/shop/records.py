"""What the shop keeps: the kinds of records, all in one table."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import ClassVar

from attrs import define, field, frozen

from isthmus import Index, Model, Table

TABLE = Table(
    "shop", "pk", "sk", indexes=[Index("listing", "listing_pk", "listing_sk")], ttl="expires", version="version"
)


class Status(Enum):
    OPEN = "open"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


@define
class Customer:
    """Somebody who buys. Amounts of money are in cents."""

    __isthmus__: ClassVar[Model] = Model(
        TABLE, "CUSTOMER#{id}", "PROFILE#{id}", discriminator="customer", unique=["email"]
    )
    id: str
    name: str
    email: str
    credit: int = 0
    version: int | None = None


@define
class Product:
    """Something that is sold."""

    __isthmus__: ClassVar[Model] = Model(
        TABLE, "PRODUCT#{sku}", "STOCK#{sku}", discriminator="product",
        indexes=[Index("listing", "CATEGORY#{category}", "{name}")],
    )  # fmt: skip
    sku: str
    name: str
    category: str
    price: int
    available: int = 0
    version: int | None = None


@frozen
class Line:
    """One product in an order, at the price of that day."""

    sku: str
    pieces: int
    price: int


@define
class Order:
    """What a customer has ordered and paid."""

    __isthmus__: ClassVar[Model] = Model(
        TABLE, "CUSTOMER#{customer}", "ORDER#{number}", discriminator="order",
        indexes=[Index("listing", "STATUS#{status}", "{placed}#{number}")],
    )  # fmt: skip
    customer: str
    number: str
    placed: datetime
    lines: list[Line] = field(factory=list)
    status: Status = Status.OPEN
    version: int | None = None

    @property
    def total(self) -> int:
        return sum(line.pieces * line.price for line in self.lines)


@define
class Reservation:
    """Pieces that are set aside for an order until it is shipped; forgotten a year later, whatever happens."""

    __isthmus__: ClassVar[Model] = Model(
        TABLE, "PRODUCT#{sku}", "RESERVED#{number}", discriminator="reservation", ttl="expires"
    )
    sku: str
    number: str
    pieces: int
    expires: datetime
    version: int | None = None


@define
class Posting:
    """Money that came or went."""

    __isthmus__: ClassVar[Model] = Model(TABLE, "CUSTOMER#{customer}", "POSTING#{reference}", discriminator="posting")
    customer: str
    reference: str
    amount: int
    version: int | None = None
