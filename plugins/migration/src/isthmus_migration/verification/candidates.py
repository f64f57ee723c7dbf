"""``verify/differences.db``: keys and digests of the items that may differ, on disk, so that any number fits.

Only the coordinator writes. A slice's candidates are written before the slice is journaled, in place of those of an
earlier attempt; so each counts once, whenever the process dies.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Self

from attrs import evolve, field, frozen

from isthmus_migration.dead.replayed import Replayed
from isthmus_migration.journal.journal import JournalUnwritable
from isthmus_migration.tasks import SliceResult
from isthmus_migration.verification.reading import UNREADABLE

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS candidate (
    source_table TEXT NOT NULL, item_key TEXT NOT NULL, side TEXT NOT NULL, source_key TEXT, digest TEXT NOT NULL,
    rank INTEGER, unit TEXT NOT NULL, sequence INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS candidate_key ON candidate (source_table, item_key);
CREATE INDEX IF NOT EXISTS candidate_slice ON candidate (unit, sequence);
CREATE INDEX IF NOT EXISTS candidate_rank ON candidate (source_table, rank);
CREATE TABLE IF NOT EXISTS ours (source_table TEXT NOT NULL, item_key TEXT NOT NULL,
    PRIMARY KEY (source_table, item_key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replayed (source_table TEXT NOT NULL, source_key TEXT NOT NULL, item_key TEXT NOT NULL,
    digest TEXT NOT NULL, until TEXT NOT NULL, PRIMARY KEY (source_table, source_key, item_key)) WITHOUT ROWID;
"""
_REPLAY: Final = "replay"


@frozen
class Candidate:
    """A key with what each side holds under it.

    :param key: the target's key as lossless JSON text
    :param sources: keys of the source's items, ``None`` where unknown, and digests of what the target should hold
    :param targets: digests of what it holds
    :param compared: whether two items were compared, and found to differ
    """

    key: str
    sources: tuple[tuple[str | None, int], ...] = field(default=(), repr=False)
    targets: tuple[int, ...] = field(default=(), repr=False)
    compared: bool = False

    @property
    def differs(self) -> bool:
        """Whether the sides hold different things, or what nobody can compare."""
        here = Counter(digest for _key, digest in self.sources)
        return self.compared or UNREADABLE in here or here != Counter(self.targets)


def unwritable(path: Path, error: OSError | sqlite3.Error) -> JournalUnwritable:
    """The error for a file of a verification that can't be used."""
    reason = error.strerror if isinstance(error, OSError) else error
    return JournalUnwritable(
        f"{path} can't be written ({reason}): make room or mend the disk, then go on; if the file is damaged, remove "
        "its folder, and the verification begins anew"
    )


class Differences:
    """The file, opened; a context manager. Each method raises ``JournalUnwritable`` where the file can't be used."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "differences.db"
        with ExitStack() as on_error:
            try:
                folder.mkdir(exist_ok=True)
                self._connection = sqlite3.connect(self.path, isolation_level=None)
                on_error.callback(self._connection.close)
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.executescript(_SCHEMA)
            except (OSError, sqlite3.Error) as error:
                raise unwritable(self.path, error) from error
            on_error.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def begin(self, token: int) -> None:
        """Forget all candidates; those that come belong to another verification.

        :param token: by which that one knows its file again
        """
        self.clear()
        with self._told():
            self._connection.execute(f"PRAGMA user_version = {token:d}")

    @property
    def token(self) -> int:
        """By what the file was begun last; 0 where nothing has."""
        return next(int(row[0]) for row in self._rows("PRAGMA user_version", ()))

    def clear(self) -> None:
        """Forget all candidates and give their room back."""
        with self._told():
            self._connection.execute("DELETE FROM candidate")
            self._connection.execute("DELETE FROM ours")
            self._connection.execute("DELETE FROM replayed")
            self._connection.execute("VACUUM")

    def take(self, result: SliceResult) -> SliceResult:
        """Write a slice's candidates; the result is left without them."""
        self._write(result, [one for one in result.found if one["kind"] == "candidate"])
        return evolve(result, found=tuple(one for one in result.found if one["kind"] != "candidate"))

    def _write(self, result: SliceResult, candidates: list[dict[str, Any]]) -> None:
        task = result.task
        place = (f"{task.phase} {task.unit.id}", task.sequence)
        rows = [
            (task.unit.table, one["key"], one["side"], one["source_key"], one["digest"], one.get("rank"), *place)
            for one in candidates
        ]
        with self._transaction():
            self._connection.execute("DELETE FROM candidate WHERE unit = ? AND sequence = ?", place)
            self._connection.executemany("INSERT INTO candidate VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise unwritable(self.path, error) from error

    def _rows(self, statement: str, values: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        with self._told(), closing(self._connection.execute(statement, values)) as found:
            yield from found

    def keep_lowest(self, table: str, most: int) -> None:
        """Forget the candidates of a sample with the highest ranks."""
        with self._told():
            self._connection.execute(
                "DELETE FROM candidate WHERE source_table = ?1 AND rank > (SELECT rank FROM candidate "
                "WHERE source_table = ?1 ORDER BY rank LIMIT 1 OFFSET ?2)",
                (table, most - 1),
            )

    def note_ours(self, table: str, keys: Iterable[str]) -> None:
        """Note which of the candidates the migration has written itself."""
        with self._transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO ours SELECT ?1, ?2 WHERE EXISTS "
                "(SELECT 1 FROM candidate WHERE source_table = ?1 AND item_key = ?2)",
                ((table, key) for key in keys),
            )

    def ours(self, table: str, keys: Iterable[str]) -> set[str]:
        """Those of some keys that were noted."""
        rows = self._rows(
            "SELECT item_key FROM ours WHERE source_table = ? AND item_key IN (SELECT value FROM json_each(?))",
            (table, json.dumps(list(keys))),
        )
        return {str(key) for (key,) in rows}

    def note_replayed(self, table: str, items: Iterable[Replayed]) -> None:
        """Note what replays with another transform have written, instead of what was noted before."""
        rows = ((table, one.source_key, one.key, one.digest, one.until) for one in items)
        with self._transaction():
            self._connection.execute("DELETE FROM replayed WHERE source_table = ?", (table,))
            self._connection.executemany("INSERT OR REPLACE INTO replayed VALUES (?, ?, ?, ?, ?)", rows)

    def suspect_replayed(self, table: str, buckets: Callable[[str], bool]) -> None:
        """Make candidates of what replays have written.

        :param buckets: tells by the text of a key whether it is in question
        """
        rows = self._rows(
            "SELECT item_key, source_key, digest FROM replayed WHERE source_table = ?", (table,)
        )  # fmt: skip
        chosen = ((table, *row, _REPLAY) for row in rows if buckets(row[0]))
        with self._transaction():
            self._connection.execute("DELETE FROM candidate WHERE source_table = ? AND unit = ?", (table, _REPLAY))
            self._connection.executemany(
                "INSERT INTO candidate VALUES (?1, ?2, 'source', ?3, ?4, NULL, ?5, 0)", chosen
            )  # fmt: skip

    def replayed(self, table: str, source_keys: Iterable[str]) -> dict[str, list[Replayed]]:
        """What replays have written of some items of the source, by their keys."""
        rows = self._rows(
            "SELECT source_key, item_key, digest, until FROM replayed WHERE source_table = ? "
            "AND source_key IN (SELECT value FROM json_each(?)) ORDER BY source_key",
            (table, json.dumps(list(source_keys))),
        )
        return {key: [Replayed(*row) for row in group] for key, group in groupby(rows, key=lambda row: str(row[0]))}

    def candidates(self, table: str, after: str = "") -> Iterator[Candidate]:
        """The candidates of a table in the order of their keys' text, those after a key."""
        rows = self._rows(
            "SELECT item_key, side, source_key, digest FROM candidate WHERE source_table = ? AND item_key > ? "
            "ORDER BY item_key",
            (table, after),
        )
        for key, group in groupby(rows, key=lambda row: str(row[0])):
            yield _candidate(key, [(side, source_key, int(digest, 16)) for _key, side, source_key, digest in group])


def _candidate(key: str, rows: list[tuple[str, str | None, int]]) -> Candidate:
    sides: dict[str, list[tuple[str | None, int]]] = {"source": [], "target": [], "compared": []}
    for side, source_key, digest in rows:
        sides[side].append((source_key, digest))
    sources = sides["source"] or sides["compared"]
    targets = tuple(digest for _source_key, digest in sides["target"])
    return Candidate(key, tuple(sources), targets, bool(sides["compared"]))
