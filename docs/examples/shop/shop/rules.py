"""What must be true of records, and what may happen to them: the same for the sync and the async shop."""

from __future__ import annotations

from datetime import timedelta

from attrs import evolve

from isthmus import DalHooks
from shop.records import Customer, Line, Order, Product, Reservation, Status

KEPT = timedelta(days=365)


class Refused(Exception):
    """The shop doesn't do that; the message says why."""


class CustomerRules(DalHooks[Customer]):
    def before_save(self, entity: Customer) -> Customer:
        return evolve(entity, email=entity.email.strip().lower())

    def validate(self, entity: Customer) -> None:
        if "@" not in entity.email:
            raise Refused("an e-mail address has an @")
        if entity.credit < 0:
            raise Refused(f"{entity.name} can't pay that")


class ProductRules(DalHooks[Product]):
    def validate(self, entity: Product) -> None:
        if entity.available < 0:
            raise Refused(f"there are not enough of {entity.name}")


class OrderRules(DalHooks[Order]):
    def validate(self, entity: Order) -> None:
        if not entity.lines or any(line.pieces < 1 for line in entity.lines):
            raise Refused("an order has at least one line, and a line at least one piece")


def take(product: Product, order: Order, pieces: int) -> Reservation:
    """Set pieces of a product aside for an order."""
    product.available -= pieces
    order.lines.append(Line(product.sku, pieces, product.price))
    return Reservation(product.sku, order.number, pieces, order.placed + KEPT)


def end(order: Order, status: Status) -> None:
    """Ship or cancel an order."""
    if order.status is not Status.OPEN:
        raise Refused(f"order {order.number} is {order.status.value} already")
    order.status = status
