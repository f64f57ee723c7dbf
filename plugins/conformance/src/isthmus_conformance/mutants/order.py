"""Mutants that order keys differently, or read a range wrongly."""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.pages import position_names, take_page, used_index
from isthmus.values import Item
from isthmus_conformance.mutants.base import Paging
from isthmus_conformance.mutants.registry import mutant


class _Reordered(Paging):
    """Queries come in the order of ``rank``."""

    def rank(self, value: Any) -> Any:
        """What a key value is sorted by."""
        return value

    def page(self, operation: op.Paged) -> res.Page:
        if not isinstance(operation, op.Query):
            return super().page(operation)
        names = position_names(operation.table, used_index(operation))

        def place(item: Item) -> tuple[Any, ...]:
            return tuple(self.rank(item[name]) for name in names)

        items = sorted(self.whole(operation), key=place, reverse=not operation.forward)
        if operation.start is not None:
            start = place(operation.start)
            items = [item for item in items if (place(item) > start if operation.forward else place(item) < start)]
        return take_page(((item, 0) for item in items), operation)


@mutant("BIN-1", "QRY-3")
class BytesByLength(_Reordered):
    """Binary keys are sorted by length first, as BSON does."""

    def rank(self, value: Any) -> Any:
        return (len(value), value) if isinstance(value, bytes) else value


@mutant("QRY-3", "KEY-4")
class NumbersAsText(_Reordered):
    """Numeric sort keys are sorted as text: 10 comes before 9."""

    def rank(self, value: Any) -> Any:
        return value if isinstance(value, (str, bytes)) else str(value)


@mutant("STR-1", "QRY-3")
class StringsByUtf16(_Reordered):
    """Strings are sorted by UTF-16 code units, as Java and JavaScript do."""

    def rank(self, value: Any) -> Any:
        return value.encode("utf-16-be") if isinstance(value, str) else value


@mutant("STR-1", "QRY-3")
class StringsWithoutCase(_Reordered):
    """Strings are sorted by a collation that puts a between A and B."""

    def rank(self, value: Any) -> Any:
        return (value.casefold(), value) if isinstance(value, str) else value


@mutant("QRY-3")
class RangeWithoutItsEnd(Paging):
    """The upper end of a range is always left out."""

    def page(self, operation: op.Paged) -> res.Page:
        if isinstance(operation, op.Query) and operation.range is not None and operation.range.high is not None:
            operation = evolve(operation, range=evolve(operation.range, high_inclusive=False))
        return super().page(operation)


@mutant("STR-8")
class PrefixAsPattern(Paging):
    """A prefix with an underscore or a percent sign is taken for a pattern of LIKE."""

    def page(self, operation: op.Paged) -> res.Page:
        prefix = operation.range.prefix if isinstance(operation, op.Query) and operation.range is not None else None
        if not isinstance(prefix, str) or not set(prefix) & {"_", "%"} or operation.start:
            return super().page(operation)
        assert isinstance(operation, op.Query)
        pattern = re.compile(re.escape(prefix).replace("_", ".").replace("%", ".*"), re.DOTALL)
        index = used_index(operation)
        sort_key = (operation.table if index is None else index).sort_key
        assert sort_key is not None
        items = self.whole(evolve(operation, range=None))
        return take_page(((item, 0) for item in items if pattern.match(str(item[sort_key.name]))), operation)
