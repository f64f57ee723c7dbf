"""Validation of what a file holds."""

from __future__ import annotations

import isthmus
from isthmus.validating import validate_table


def test_damaged_items_are_reported_with_their_keys() -> None:
    """Read from the columns beside the item, of all types; the others are checked as ever."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key=("n", int), sort_key=("raw", bytes)).ensure()
        table.put_many([{"n": number, "raw": bytes([number])} for number in range(10)]).raise_for_failures()
        sql = """UPDATE "things:1" SET item = '{bad' WHERE k1 IN (x'00', x'04', x'09')"""
        database.native().execute(sql)
        result = validate_table(table, chunk=3)
    assert [one.key for one in result.deviations] == [{"n": n, "raw": bytes([n])} for n in (0, 4, 9)]
    assert (result.items, result.kinds) == (10, {"unreadable": 3})


def test_a_damaged_key_is_named_as_it_is_stored() -> None:
    """What the key's column holds is shown where it is no key."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key=("n", int)).ensure()
        table.put({"n": 1})
        database.native().execute("""UPDATE "things:1" SET item = '{bad', k0 = x'ffff'""")
        result = validate_table(table)
    assert [(one.key, one.name) for one in result.deviations] == [(None, r"b'\xff\xff'")]
