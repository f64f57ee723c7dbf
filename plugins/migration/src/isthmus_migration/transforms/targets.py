"""The table of the target: the source's, with keys, indexes and everything else renamed along."""

from __future__ import annotations

from attrs import define, evolve, field, frozen

from isthmus.errors import ConfigurationError
from isthmus.schema import Index, Key, KeyType, Table, Unique
from isthmus_migration.transforms.declaration import Transform
from isthmus_migration.transforms.paths import parse_path

_KEY_TYPES: dict[str, KeyType | None] = {
    "set": None, "list": None, "boolean": None, "date": "string", "text": "string", "number": "number",
    "integer": "number", "binary": "binary",
}  # fmt: skip

_NUMERIC = ("ttl", "version")


@frozen
class Target:
    """A table of the target.

    :param notes: what of the source's definition it has not got, a sentence for each point
    """

    table: Table
    notes: tuple[str, ...] = ()


def target_of(transform: Transform, source: Table) -> Target:
    """The table that a transform makes of the source's.

    :raises ConfigurationError: there would be no key: ``problems`` names what is wrong
    """
    return _Derivation(transform, source).target()


@define
class _Derivation:
    transform: Transform
    source: Table
    renamed: dict[str, str | None] = field(init=False)
    gone: set[str] = field(init=False)
    made: set[str] = field(init=False)
    problems: list[str] = field(init=False, factory=list)
    notes: list[str] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        transform = self.transform
        renames = {_top(old): _top(new) for old, new in transform.rename.items()}
        self.renamed = {old: new for old, new in renames.items() if old is not None}
        consumed = [path for path, split in transform.split.items() if not split.keep]
        consumed += [path for merge in transform.merge.values() if not merge.keep for path in merge.paths]
        self.gone = {name for path in (*consumed, *transform.drop) if (name := _top(path)) is not None}
        made = [
            *transform.merge,
            *transform.compute,
            *(path for split in transform.split.values() for path in split.into),
        ]
        self.made = {name for path in made if (name := _top(path)) is not None}

    def target(self) -> Target:
        table = self.transform.schema or self._derived()
        self._check_dropped(table)
        if self.problems:
            problems = [f"table {self.source.name!r}: {problem}" for problem in self.problems]
            raise ConfigurationError("; ".join(problems), problems=problems)
        return Target(table, tuple(self.notes))

    def _derived(self) -> Table:
        keys = self._keys()
        if self.problems:
            return self.source
        source = self.source
        names = {role: self._role(role) for role in ("ttl", "version", "created_at", "updated_at")}
        return evolve(
            source, name=self.transform.into or source.name, partition_key=keys[0],
            sort_key=keys[1] if len(keys) == 2 else None, indexes=self._indexes(), unique=self._uniques(), **names,
        )  # fmt: skip

    def _keys(self) -> list[Key]:
        if not self.transform.keys:
            return [found for key in self.source.keys if (found := self._source_key(key)) is not None]
        known = {found.name: found for key in self.source.keys if (found := self._key(key)) is not None}
        declared = [known.get(key, Key(key)) if isinstance(key, str) else key for key in self.transform.keys]
        return [self._typed(key) or key for key in declared]

    def _source_key(self, key: Key) -> Key | None:
        if self._name(key.name) is None:
            self.problems.append(f"key attribute {key.name!r} does not stay: declare keys")
            return None
        found = self._key(key)
        if found is None:
            self.problems.append(f"key attribute {key.name!r} gets a type that no key has: use text, number or binary")
        return found

    def _key(self, key: Key) -> Key | None:
        """A key as it is in the target; ``None`` where it can't be one any more."""
        name = self._name(key.name)
        return None if name is None else self._typed(evolve(key, name=name))

    def _typed(self, key: Key) -> Key | None:
        declared = self._type(key.name)
        if declared is None:
            return key
        kind = _KEY_TYPES[declared]
        return None if kind is None else evolve(key, type=kind)

    def _type(self, name: str) -> str | None:
        """The type that is declared for an attribute, by its name in the target."""
        return next((declared.type for path, declared in self.transform.types.items() if _top(path) == name), None)

    def _name(self, name: str) -> str | None:
        """What an attribute is called in the target; ``None`` where it is left out or becomes part of another."""
        new = self.renamed.get(name, name)
        return None if new in self.gone and new not in self.made else new

    def _role(self, role: str) -> str | None:
        old: str | None = getattr(self.source, role)
        new = None if old is None else self._name(old)
        if old is not None and new is None:
            self.notes.append(f"{role} is not declared: its attribute {old!r} does not stay")
        elif new is not None and role in _NUMERIC and self._type(new) not in (None, "number", "integer"):
            self.notes.append(f"{role} is not declared: its attribute {new!r} is no number any more")
            return None
        return new

    def _indexes(self) -> list[Index]:
        found = []
        for index in self.source.indexes:
            keys = [named for key in index.keys if (named := self._key(key)) is not None]
            if len(keys) < len(index.keys):
                self.notes.append(f"index {index.name} is left out: a key attribute of it does not stay")
                continue
            held = index.projection
            if isinstance(held, tuple):
                held = tuple(new for name in held if (new := self._name(name)) is not None)
            found.append(Index(index.name, keys[0], keys[1] if len(keys) == 2 else None, held))
        return found

    def _uniques(self) -> list[Unique]:
        found = []
        for unique in self.source.unique:
            names = [self._name(name) for name in unique.attributes]
            only = None if unique.only is None else self._name(unique.only[0])
            if unique.only is not None and only is not None and (self._type(only) or only in self.made):
                self.notes.append(
                    f"unique constraint {unique.name} is left out: {only!r}, on which it depends, gets other values"
                )
                continue
            if None in names or (unique.only is not None and only is None):
                self.notes.append(f"unique constraint {unique.name} is left out: an attribute of it does not stay")
                continue
            held = None if unique.only is None or only is None else (only, unique.only[1])
            found.append(Unique(names, held))
        return found

    def _check_dropped(self, table: Table) -> None:
        for name in table.key_names:
            if name in self.gone and name not in self.made:
                self.problems.append(f"key attribute {name!r} of the target does not stay: keep it")


def _top(path: str) -> str | None:
    """The attribute that a path names; ``None`` where it names a part of one."""
    parsed = parse_path(path, elements=True)
    return str(parsed[0]) if len(parsed) == 1 else None
