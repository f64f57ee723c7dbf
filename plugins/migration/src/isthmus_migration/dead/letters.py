"""Dead letters as the journal keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, cast

from attrs import field, frozen

from isthmus.values import Item, loads
from isthmus_migration.journal.journal import Journal

Status = Literal["open", "acknowledged", "replayed"]
_COLUMNS: Final = "id, source_table, item_key, phase, code, reason, form, attempts, status, note, found, updated"
_PAGE: Final = 500


@frozen
class Letter:
    """An item that could not be moved.

    :param id: its number in the journal
    :param table: the source's table
    :param key: the key attributes of the source's item as lossless JSON text; text in the store's own words where the
        key can't be read
    :param phase: where it failed: ``decode``, ``transform``, ``encode`` or ``write``
    :param code: an error's code
    :param reason: what is wrong and where, never a value
    :param form: what the original is: ``json`` for lossless JSON text, else the store's own form
    :param attempts: how often it was tried
    :param status: ``open`` until it was ``acknowledged`` or ``replayed``
    :param note: what was said when it was acknowledged
    :param found: when it became a dead letter, epoch seconds
    :param updated: when it was tried or acknowledged last, epoch seconds
    """

    id: int
    table: str
    key: str = field(repr=False)
    phase: str
    code: str
    reason: str
    form: str
    attempts: int
    status: Status
    note: str
    found: float
    updated: float

    def to_dict(self) -> dict[str, Any]:
        """The letter as JSON-ready data, without its original."""
        return {name: getattr(self, name) for name in self.__annotations__}


@frozen
class Original:
    """The item of a dead letter, as it was read.

    :param data: lossless JSON text, or the store's own bytes
    :param form: which of them
    """

    data: bytes = field(repr=False)
    form: str

    @property
    def item(self) -> Item | None:
        """The item; ``None`` where it could not be decoded."""
        return cast("Item", loads(self.data.decode())) if self.form == "json" and self.data else None


@frozen
class Choice:
    """Which letters are meant; everything that is said must hold.

    :param ids: numbers in the journal
    :param key: the text of a key
    :param status: ``None`` means every status
    """

    ids: Sequence[int] | None = None
    table: str | None = None
    key: str | None = None
    code: str | None = None
    phase: str | None = None
    status: Status | None = "open"

    def where(self) -> tuple[str, list[Any]]:
        """The condition in SQL, with its values."""
        given = {"source_table": self.table, "item_key": self.key, "code": self.code, "phase": self.phase,
                 "status": self.status}  # fmt: skip
        wanted = {name: value for name, value in given.items() if value is not None}
        parts = [f"{name} = ?" for name in wanted]
        if self.ids is not None:
            parts.append(f"id IN ({', '.join(str(int(number)) for number in self.ids)})")
        return " AND ".join(parts) or "1", list(wanted.values())


def letters(journal: Journal, choice: Choice) -> Iterator[Letter]:
    """The letters that are meant, in the order in which they were found; they may be changed meanwhile."""
    condition, values = choice.where()
    after = 0
    while True:
        rows = journal.rows(
            f"SELECT {_COLUMNS} FROM dead WHERE {condition} AND id > ? ORDER BY id LIMIT {_PAGE}",  # noqa: S608  # names of ours, and numbers
            [*values, after],
        )
        if not rows:
            return
        for row in rows:
            yield Letter(*row)
        after = rows[-1][0]


def original_of(journal: Journal, letter: Letter) -> Original:
    """The item of a letter, as it was read."""
    ((data,),) = journal.rows("SELECT original FROM dead WHERE id = ?", (letter.id,))
    return Original(bytes(data), letter.form)
