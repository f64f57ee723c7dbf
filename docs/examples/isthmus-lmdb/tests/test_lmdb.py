"""What is particular to LMDB: long keys, the map's size, files, processes."""

import subprocess
import sys
from pathlib import Path

import pytest

import isthmus
from isthmus import F, Index
from isthmus.errors import BackendError, DeadlineExceeded, IntegrityError, InvalidKey, SchemaMismatch
from isthmus.operations import Context, Scan

LONG = "k" * 440
WRITER = """
import sys
import isthmus

with isthmus.connect(sys.argv[1]) as db:
    counters = db.table("counters", partition_key="id")
    for _ in range(50):
        counters.update(id="one", add={"count": 1})
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"lmdb:///{tmp_path / 'store.lmdb'}"


def keys(count: int) -> list[str]:
    """Sort keys that agree far beyond the longest key of LMDB, in order."""
    return [f"{LONG}{'m' * 200}{number:03}" for number in range(count)]


@pytest.mark.parametrize("descending", [False, True])
def test_pages_of_long_keys_are_in_order(url: str, descending: bool) -> None:
    """Keys that LMDB can't hold whole are ordered by their whole text, over pages and in both directions."""
    with isthmus.connect(url) as db:
        table = db.table("long", partition_key="pk", sort_key="sk").ensure()
        table.put_many({"pk": "p", "sk": key} for key in reversed(keys(30)))
        query = table.query(pk="p").where(F.sk.between(keys(30)[5], keys(30)[24]))
        query = query.descending() if descending else query
        found: list[object] = []
        cursor = None
        while not found or cursor is not None:
            page = query.page(size=7, cursor=cursor)
            found += [item["sk"] for item in page.items]
            cursor = page.cursor
    assert found == sorted(keys(30)[5:25], reverse=descending)


def test_index_of_long_keys_follows_its_items(url: str) -> None:
    """An index entry whose key was cut is replaced when its item changes and goes when its item goes."""
    with isthmus.connect(url) as db:
        table = db.table("long", partition_key="id", indexes=[Index("by_name", "kind", "name")]).ensure()
        first, second, third = keys(3)
        table.put_many({"id": name, "kind": "a", "name": name} for name in (first, second))
        table.update(id=first, set={"name": third})
        table.delete(id=second)
        assert [item["name"] for item in table.query(index="by_name", kind="a")] == [third]


def test_full_map_applies_nothing(url: str) -> None:
    """A batch that does not fit is refused whole, with the way out in the error, and the file stays usable."""
    with isthmus.connect(f"{url}?map_size=1048576") as db:
        table = db.table("small", partition_key="id").ensure()
        with pytest.raises(BackendError, match="map_size") as raised:
            table.put_many({"id": str(number), "text": "x" * 100_000} for number in range(20))
        table.put({"id": "fits"})
        assert [item["id"] for item in table.scan()] == ["fits"]
    assert not raised.value.maybe_applied


def test_file_of_another_program_is_refused(url: str, tmp_path: Path) -> None:
    """An LMDB file that this backend did not make is left alone."""
    import lmdb

    with lmdb.open(str(tmp_path / "store.lmdb"), subdir=False) as other, other.begin(write=True) as transaction:
        transaction.put(b"theirs", b"1")
    with pytest.raises(IntegrityError, match="another program"):
        isthmus.connect(url)


def test_databases_of_one_process_share_a_file(url: str) -> None:
    """A file opened twice is open until both are closed."""
    with isthmus.connect(url) as outer:
        with isthmus.connect(url) as inner:
            inner.table("shared", partition_key="id").ensure().put({"id": "1"})
        assert outer.table("shared", partition_key="id").get(id="1") == {"id": "1"}


def test_processes_do_not_lose_updates(url: str) -> None:
    """Two processes that count in one item count every time."""
    with isthmus.connect(url) as db:
        counters = db.table("counters", partition_key="id").ensure()
        counters.put({"id": "one", "count": 0})
        running = [subprocess.Popen([sys.executable, "-c", WRITER, url]) for _ in range(2)]
        assert [process.wait(300) for process in running] == [0, 0]
        assert counters.get(id="one")["count"] == 100


def test_scan_ends_at_its_deadline(url: str) -> None:
    """A scan whose deadline has passed stops instead of reading on."""
    with isthmus.connect(url) as db:
        table = db.table("table", partition_key="id").ensure()
        table.put({"id": "1"})
        with pytest.raises(DeadlineExceeded):
            db.backend.execute(Scan(Context(deadline=0.0), table.schema))


def test_index_that_is_not_stored_is_refused(url: str) -> None:
    """A query over an index that the stored table lacks says how the two differ."""
    with isthmus.connect(url) as db:
        db.table("table", partition_key="id").ensure()
        declared = db.table("table", partition_key="id", indexes=[Index("by_kind", "kind")])
        with pytest.raises(SchemaMismatch, match="by_kind"):
            list(declared.query(index="by_kind", kind="a"))


def test_stored_index_guards_its_keys(url: str) -> None:
    """A wrong type for a stored index's key is refused, also where the caller did not declare the index."""
    with isthmus.connect(url) as db:
        db.table("table", partition_key="id", indexes=[Index("by_kind", "kind")]).ensure()
        table = db.table("table", partition_key="id")
        with pytest.raises(InvalidKey, match="by_kind"):
            table.put({"id": "1", "kind": 5})
        assert table.find(id="1") is None
