"""``Transform``: what happens to the items of one table on their way, as data that a plan or a mapping file holds.

The parts act in this order, whatever the order in which they are declared, and those of one kind act on the same item:

1. ``filter``: items for which it does not hold are left out and counted;
2. ``rename``: everything after it uses the new names;
3. ``split``, 4. ``merge``, 5. ``compute``, 6. ``types``, 7. ``drop``;
8. ``function``: gets what the others made.

An attribute that is not there is nothing to rename, split, convert or drop. One that is there already is never
overwritten unless that is declared: the item becomes a dead letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, field, fields, frozen

from isthmus.cli.where import parse_condition
from isthmus.errors import ConfigurationError, InvalidArgument, IsthmusError
from isthmus.schema import Key, Table
from isthmus.values import check_table_name
from isthmus_migration.transforms import parts
from isthmus_migration.transforms.functions import check_import_path, source_hash
from isthmus_migration.transforms.parts import Computed, Merge, Split, TypeOf, check_fields
from isthmus_migration.transforms.paths import parse_path, shown, split_elements

_TABLE_FIELDS = ("sort_key", "indexes", "ttl", "version", "created_at", "updated_at")


def _unread(given: Any) -> Any:
    """Data as it is given: all fields are read together, so that all that is wrong with them is told at once."""
    return given


@frozen
class Transform:
    """What happens to the items of one table. Paths are text such as ``address.zip``.

    :param filter: the condition, in the language of ``--where``, for the items that are moved; the others are counted
        as skipped
    :param rename: new paths by old ones; ``lines[].qty`` may get another name within its map
    :param split: attributes that become several
    :param merge: attributes that are made of several
    :param compute: new attributes: templates, constants, copies
    :param types: what types attributes shall have; ``tags[]`` is each element of a list
    :param drop: attributes to leave out; ``lines[].note`` is one of each element
    :param function: ``package.module:name`` of a function that gets a copy of the item and returns the new one, or
        ``None`` to leave it out
    :param function_hash: the hash of the function's source that a plan was made with
    :param keep_keys: whether each item has to keep its key: one that would get another becomes a dead letter
    :param into: the name of the target's table
    :param keys: the key attributes of the target's table, where they are not those of the source, renamed
    :param schema: the whole definition of the target's table, where it is not to be derived
    """

    filter: str | None = None
    rename: dict[str, str] = field(factory=dict, converter=_unread)
    split: dict[str, Split] = field(factory=dict, converter=_unread)
    merge: dict[str, Merge] = field(factory=dict, converter=_unread)
    compute: dict[str, Computed] = field(factory=dict, converter=_unread)
    types: dict[str, TypeOf] = field(factory=dict, converter=_unread)
    drop: tuple[str, ...] = field(default=(), converter=_unread)
    function: str | None = None
    function_hash: str | None = None
    keep_keys: bool = False
    into: str | None = None
    keys: tuple[Key | str, ...] = field(default=(), converter=_unread)
    schema: Table | None = field(default=None, converter=_unread)

    def __attrs_post_init__(self) -> None:
        reader = _Reader()
        for name, read in _READERS.items():
            object.__setattr__(self, name, read(reader, name, getattr(self, name)))
        if not reader.problems:
            reader.problems += _contradictions(self)
        if reader.problems:
            raise ConfigurationError("; ".join(reader.problems), problems=reader.problems)

    @classmethod
    def from_dict(cls, data: Any, *, where: str = "transform") -> Transform:
        """A transform from what ``to_dict`` gave, or from a table of a mapping file.

        :param where: what to call it in messages
        :raises ConfigurationError: ``problems`` names all that is wrong, each with its field
        """
        if not isinstance(data, Mapping):
            raise ConfigurationError(f"{where} is a table with fields such as rename and drop")
        try:
            check_fields(data, [each.name for each in fields(cls)])
            return cls(**data)
        except ConfigurationError as error:
            problems = [f"{where}: {problem}" for problem in error.problems]
        except InvalidArgument as error:
            problems = [f"{where}: {error.message}"]
        raise ConfigurationError("; ".join(problems), problems=problems)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data; ``from_dict`` reads it back."""
        data = {each.name: getattr(self, each.name) for each in fields(type(self))}
        return {name: _plain(value) for name, value in data.items() if value}

    def sealed(self) -> Transform:
        """A copy that knows the hash of its function's source, as a plan keeps it.

        :raises ConfigurationError: the function's module can't be found
        """
        return self if self.function is None else evolve(self, function_hash=source_hash(self.function))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    if isinstance(value, Table):
        return value.to_dict()
    if isinstance(value, Key):
        return {"name": value.name, "type": value.type}
    return value.to_data() if hasattr(value, "to_data") else value


class _Reader:
    """Reads the fields of a transform and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def attempt(self, where: str, read: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return read(*arguments, **options)
        except IsthmusError as error:
            self.problems.append(f"{where}: {error.message}")
        except (TypeError, ValueError):
            self.problems.append(f"{where}: has a value of a wrong type")
        return None

    def table(self, name: str, given: Any) -> dict[str, Any]:
        if isinstance(given, Mapping):
            # Names in one order, so that of two refusals always the same one comes first.
            return {name: given[name] for name in sorted(given, key=str)}
        self.problems.append(f"{name}: is a table of attributes")
        return {}

    def names(self, name: str, given: Any) -> tuple[Any, ...]:
        if isinstance(given, Iterable) and not isinstance(given, (str, Mapping)):
            return tuple(given)
        self.problems.append(f"{name}: is a list of attributes")
        return ()

    def renames(self, name: str, given: Any) -> dict[str, str]:
        found = self.table(name, given)
        for old, new in found.items():
            self.attempt(f"{name}.{old}", _check_rename, old, new)
        return found

    def made(self, make: Callable[[Any], Any], *, elements: bool = False) -> Callable[[str, Any], dict[str, Any]]:
        def read(name: str, given: Any) -> dict[str, Any]:
            found = self.table(name, given)
            for path in found:
                self.attempt(f"{name}.{path}", parse_path, path, elements=elements)
            return {path: self.attempt(f"{name}.{path}", make, data) for path, data in found.items()}

        return read

    def drops(self, name: str, given: Any) -> tuple[str, ...]:
        found = self.names(name, given)
        for path in found:
            self.attempt(name, _check_drop, path)
        return found

    def keys(self, name: str, given: Any) -> tuple[Key | str, ...]:
        found = (given,) if isinstance(given, (str, Key, Mapping)) else self.names(name, given)
        if len(found) > 2:
            self.problems.append(f"{name}: there are a partition key and at most a sort key")
        return tuple(self.attempt(name, _key, each) for each in found)

    def optional(self, check: Callable[[Any], Any]) -> Callable[[str, Any], Any]:
        def read(name: str, given: Any) -> Any:
            if given is not None:
                self.attempt(name, check, given)
            return given

        return read

    def schema(self, name: str, given: Any) -> Table | None:
        return given if given is None or isinstance(given, Table) else self.attempt(name, _table, given)


def _check_rename(old: Any, new: Any) -> None:
    before, after = parse_path(old, elements=True), parse_path(new, elements=True)
    if before == after:
        raise InvalidArgument("is renamed to itself")
    if split_elements(before)[0] != split_elements(after)[0]:
        raise InvalidArgument(f"can't move between elements of lists: begin {shown(after)} as {shown(before)} begins")
    if not split_elements(before)[1] or not split_elements(after)[1]:
        raise InvalidArgument("names all elements of a list: name an attribute of theirs")


def _check_drop(path: Any) -> None:
    if not split_elements(parse_path(path, elements=True))[1]:
        raise InvalidArgument(f"{path} would drop the elements of a list one by one: drop the list")


def _key(given: Any) -> Key | str:
    if isinstance(given, Key):
        return given
    if isinstance(given, Mapping):
        check_fields(given, ["name", "type"])
        return Key.of((given.get("name", ""), given.get("type", "string")))
    Key.of(given)
    return str(given)


def _table(given: Any) -> Table:
    if not isinstance(given, Mapping):
        raise InvalidArgument("is a table with name and partition_key")
    check_fields(given, ["name", "partition_key", "unique", *_TABLE_FIELDS])
    try:
        return Table.from_dict({**dict.fromkeys(_TABLE_FIELDS), "indexes": (), **given})
    except ConfigurationError as error:
        # Its own message is about a definition that was stored.
        reason = (
            error.__cause__.message if isinstance(error.__cause__, InvalidArgument) else "is no definition of a table"
        )
        raise InvalidArgument(
            f"{reason}: give what `isthmus tables describe --json` prints, partition_key = {{ name = …, type = … }} say"
        ) from error


def _check_filter(given: Any) -> None:
    if not isinstance(given, str):
        raise InvalidArgument("is text in the language of --where")
    parse_condition(given)


def _check_hash(given: Any) -> None:
    if not isinstance(given, str) or not given:
        raise InvalidArgument("is the hexadecimal text that a plan writes")


def _check_choice(given: Any) -> None:
    if not isinstance(given, bool):
        raise InvalidArgument("is true or false")


_READERS: dict[str, Callable[[_Reader, str, Any], Any]] = {
    "filter": lambda reader, name, given: reader.optional(_check_filter)(name, given),
    "rename": _Reader.renames,
    "split": lambda reader, name, given: reader.made(parts.split)(name, given),
    "merge": lambda reader, name, given: reader.made(parts.merge)(name, given),
    "compute": lambda reader, name, given: reader.made(parts.computed)(name, given),
    "types": lambda reader, name, given: reader.made(parts.type_of, elements=True)(name, given),
    "drop": _Reader.drops,
    "function": lambda reader, name, given: reader.optional(check_import_path)(name, given),
    "function_hash": lambda reader, name, given: reader.optional(_check_hash)(name, given),
    "keep_keys": lambda reader, name, given: reader.optional(_check_choice)(name, given),
    "into": lambda reader, name, given: reader.optional(check_table_name)(name, given),
    "keys": _Reader.keys,
    "schema": _Reader.schema,
}


def _contradictions(transform: Transform) -> list[str]:
    """Declarations that can't both be meant."""
    made: dict[str, str] = {}
    problems = []
    for path, step in _made(transform):
        if path in made:
            problems.append(f"{path} is made twice, by {made[path]} and by {step}: choose two names")
        made[path] = step
    # A part of a split may be one that nobody wants.
    dropped = [path for path in map(_normal, transform.drop) if not made.get(path, "split").startswith("split")]
    problems += [f"{path} is made by {made[path]} and dropped: leave one out" for path in dropped]
    if transform.schema is not None and (transform.keys or transform.into):
        problems.append("schema says all about the target's table: leave out keys and into")
    return problems


def _made(transform: Transform) -> Iterator[tuple[str, str]]:
    """All attributes that a transform makes, as normal path text, with what makes them."""
    for old, new in transform.rename.items():
        yield _normal(new), f"rename of {old}"
    for old, split in transform.split.items():
        yield from ((_normal(new), f"split of {old}") for new in split.into)
    for step in ("merge", "compute"):
        yield from ((_normal(new), step) for new in getattr(transform, step))


def _normal(path: str) -> str:
    return shown(parse_path(path, elements=True))
