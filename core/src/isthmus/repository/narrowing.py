"""What a query's keys and conditions on fields say about a sort key that is made by a template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import evolve, field, frozen

from isthmus.expressions import Attribute, BeginsWith, Between, Comparison, Condition, all_of, path_of, split_conjuncts
from isthmus.expressions import Field as PathField
from isthmus.repository.shapes import Field
from isthmus.repository.templates import FieldKey, Template
from isthmus.values import successor_prefix


@frozen(eq=False)
class Reach:
    """The part of a partition that can hold what is asked for.

    :param prefix: what the sort key of a template begins with
    :param whole: whether that is the whole key
    :param following: the field whose value comes next in the template
    """

    name: str
    part: FieldKey | Template | None
    prefix: str = ""
    whole: bool = False
    following: int = 0
    bounds: tuple[Condition, ...] = field(default=())

    def narrowed(self, condition: Condition) -> Reach:
        """With what a further condition on fields implies."""
        implied = [one for conjunct in split_conjuncts(condition) for one in self._implied(conjunct)]
        return evolve(self, bounds=(*self.bounds, *implied)) if implied else self

    def condition(self) -> Condition | None:
        """The condition on the sort key; ``None`` where there is none."""
        key = PathField((self.name,))
        if self.whole:
            return all_of([key == self.prefix, *self.bounds])
        if not self.bounds:
            return key.begins_with(self.prefix) if self.prefix else None
        # One range can't be a prefix and bounds.
        return all_of([*_beginning(key, self.prefix), *self.bounds])

    def _implied(self, conjunct: Condition) -> Iterator[Condition]:
        if isinstance(self.part, FieldKey) and self.part.field.stored != self.name:
            yield from _moved(conjunct, self.part.field, PathField((self.name,)))
        if isinstance(self.part, Template) and self.following < len(self.part.fields):
            yield from self._bounds(self.part, conjunct)

    def _bounds(self, template: Template, conjunct: Condition) -> Iterator[Condition]:
        one, after = template.fields[self.following], template.literals[self.following + 1]
        if one.codec.stored - {"null"} != {"string"}:
            return  # numbers are not in the order of their texts
        key, here = PathField((self.name,)), Attribute((one.stored,))
        exact = not after and self.following + 1 == len(template.fields)
        match conjunct:
            case Comparison(operand, operator, str(text)) if operand == here:
                yield from self._compared(key, operator, text, after, one, exact)
            case Between(operand, str(low), str(high)) if operand == here:
                yield from self._compared(key, ">=", low, after, one, exact)
                yield from self._compared(key, "<=", high, after, one, exact)
            case BeginsWith(path, str(text)) if path == here.path:
                yield from _beginning(key, self.prefix + text)

    def _compared(
        self, key: PathField, operator: str, text: str, after: str, one: Field, exact: bool
    ) -> Iterator[Condition]:
        bound = self.prefix + text
        if operator == "==":
            yield from [key == bound] if exact else _beginning(key, bound + after)
        elif operator in (">", ">="):
            yield key > bound if exact and operator == ">" else key >= bound
        elif operator in ("<", "<=") and exact:
            yield key < bound if operator == "<" else key <= bound
        elif operator in ("<", "<=") and one.codec.fixed_width:
            # Texts of one length differ at a character, whatever follows them.
            yield from _below(key, bound if operator == "<" else successor_prefix(bound))


def _beginning(key: PathField, prefix: str) -> Iterator[Condition]:
    """The bounds of a prefix."""
    if prefix:
        yield key >= prefix
        yield from _below(key, successor_prefix(prefix))


def _below(key: PathField, bound: str | None) -> Iterator[Condition]:
    if bound is not None:
        yield key < bound


def _moved(conjunct: Condition, one: Field, key: PathField) -> Iterable[Condition]:
    """The same condition on the key attribute that holds a copy of the field."""
    here, there = Attribute((one.stored,)), Attribute(path_of(key))
    match conjunct:
        case Comparison(operand, operator, value) if operand == here and not isinstance(value, Attribute):
            return [] if operator == "!=" else [Comparison(there, operator, value)]
        case Between(operand, low, high) if operand == here:
            return [Between(there, low, high)]
        case BeginsWith(path, prefix) if path == here.path:
            return [BeginsWith(there.path, prefix)]
    return []
