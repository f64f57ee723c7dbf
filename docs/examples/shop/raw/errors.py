"""What drivers tell by codes and numbers, as errors of the shop's own."""

from __future__ import annotations

from shop.rules import Refused


class AlreadyExists(Refused):
    pass


class UniqueViolation(Refused):
    pass


class ItemNotFound(Refused):
    pass
