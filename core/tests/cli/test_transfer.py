from __future__ import annotations

import json

import isthmus
from core.tests.cli.conftest import URL, Run
from isthmus import copying
from isthmus.copying import CopyResult, TableDigest, Verification

OTHER = "memory://other"


def test_copy_verifies(command: Run, cities: isthmus.BoundTable) -> None:
    """Both digests are printed, and both are the table's."""
    found = command("copy", URL, OTHER, "--verify", "--json")
    (table,) = json.loads(found.out)["tables"]
    digest = {"items": 3, "digest": copying.digest_table(cities).digest}
    assert {
        "table": cities.name, "written": 3, "expired": 0, "verified": True, "source": digest, "target": digest,
    } == table  # fmt: skip


def test_copy_refuses_a_target_with_items(command: Run, cities: isthmus.BoundTable) -> None:
    """A second copy is refused, and ``--overwrite`` allows it."""
    assert command("copy", URL, OTHER, "--table", cities.name).code == 0
    found = command("copy", URL, OTHER, "--json")
    assert (found.code, json.loads(found.err)["error"]["code"]) == (1, "already_exists")
    assert command("copy", URL, OTHER, "--overwrite", "--verify").code == 0


def test_a_difference_ends_with_1(command: Run, cities: isthmus.BoundTable) -> None:
    """An item that only the target has makes the verification fail; the message counts and shows no item."""
    other = isthmus.connect(OTHER).tables.ensure(cities.schema)
    other.put({"country": "XX", "id": 9, "name": "Atlantis"})
    found = command("copy", URL, OTHER, "--overwrite", "--verify")
    assert (found.code, "1 only there" in found.err, "Atlantis" in found.out + found.err) == (1, True, False)


def test_a_difference_as_json_is_counted_in_the_document(command: Run, cities: isthmus.BoundTable) -> None:
    """Nothing is on standard error, which would not be JSON."""
    isthmus.connect(OTHER).tables.ensure(cities.schema).put({"country": "XX", "id": 9})
    found = command("copy", URL, OTHER, "--overwrite", "--verify", "--json")
    (table,) = json.loads(found.out)["tables"]
    assert (found.code, found.err, table["differences"]) == (1, "", {"missing": 0, "changed": 0, "extra": 1})


def test_copy_takes_named_tables_only(command: Run, cities: isthmus.BoundTable) -> None:
    """``--table`` chooses."""
    cities.database.table("more", partition_key="id").ensure()
    assert command("copy", URL, OTHER, "--table", "more").code == 0
    assert isthmus.connect(OTHER).tables.list() == ["more"]


def test_results_say_when_nothing_was_verified() -> None:
    """Equal digests and unequal ones are told apart from none."""
    same, other = TableDigest(1, "a" * 64), TableDigest(1, "b" * 64)
    assert (Verification("t", same, same).equal, Verification("t", same, other).equal) == (True, False)
    assert CopyResult("t", 1, 0).verification is None
