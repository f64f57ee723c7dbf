"""Canonical texts and digests in buckets."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tests.values.strategies import items
from isthmus.errors import InvalidValue
from isthmus.values import Item, copy_item, equal, normalise_item
from isthmus_migration.digests import BucketDigest, canonical_text
from plugins.migration.tests.dead.helpers import numbered

KEYS = ("id",)


def shuffled(value: Any, chance: random.Random) -> Any:
    """An equal value whose maps and sets were filled in another order."""
    if isinstance(value, dict):
        names = list(value)
        chance.shuffle(names)
        return {name: shuffled(value[name], chance) for name in names}
    if isinstance(value, list):
        return [shuffled(member, chance) for member in value]
    if isinstance(value, frozenset):
        members = list(value)
        chance.shuffle(members)
        return frozenset(members)
    return value


@given(items(), st.randoms(use_true_random=False))
def test_equal_items_have_one_text(item: Item, chance: random.Random) -> None:
    """Whatever the order of maps and sets."""
    item = normalise_item(item)
    assert canonical_text(shuffled(item, chance)) == canonical_text(item)


@given(items(), items())
def test_items_that_differ_have_different_texts(one: Item, other: Item) -> None:
    """Two texts are the same if, and only if, the items are equal."""
    one, other = normalise_item(one), normalise_item(other)
    assert (canonical_text(one) == canonical_text(other)) == equal(one, other)


LOOKALIKES: list[Any] = [
    1, "1", Decimal("1.5"), "1.5", True, "true", None, "null", b"a", "YQ==", '<x"YQ==">', [], {}, "", b"", [1],
    frozenset({1}), frozenset({"1"}), frozenset({b"1"}), ["1"], "<n[1]>", "<s[1]>", {"s": ["1"]}, 2**64, str(2**64),
    -(2**70), Decimal("0.1"), Decimal("1E-20"), 10**30,
]  # fmt: skip


def test_lookalikes_differ() -> None:
    """No value has the text of another one, however alike they look in JSON."""
    texts = [canonical_text({"a": value}) for value in LOOKALIKES]
    assert len(set(texts)) == len(LOOKALIKES)


def test_what_is_not_portable_has_no_text() -> None:
    """A float would have two spellings."""
    with pytest.raises(InvalidValue, match="normalise"):
        canonical_text({"a": {1.5, "x"}})


@given(st.lists(st.integers(0, 500), unique=True, max_size=40), st.randoms(use_true_random=False))
def test_order_and_division_don_t_matter(numbers: list[int], chance: random.Random) -> None:
    """Digests of parts add up to that of the whole, in any order."""
    whole: list[Item] = [{"id": str(number), "n": number} for number in numbers]
    mixed = list(whole)
    chance.shuffle(mixed)
    cut = chance.randint(0, len(mixed))
    merged = BucketDigest.merged([BucketDigest.of(mixed[cut:], KEYS), BucketDigest.of(mixed[:cut], KEYS)])
    assert merged == BucketDigest.of(whole, KEYS)
    assert BucketDigest.unpack(merged.pack()) == merged


def test_equal_items_don_t_cancel_each_other_out() -> None:
    """An exclusive or of two equal items would be that of none."""
    item: Item = {"id": "a", "n": 1}
    ((bucket, (_one, once)),) = BucketDigest.of([item], KEYS).buckets.items()
    assert BucketDigest.of([item, item], KEYS).buckets == {bucket: (2, 2 * once % (1 << 128))}
    assert once


def test_three_changes_are_three_buckets() -> None:
    """One item changed, one deleted and one added differ in exactly the buckets of their keys."""
    before = numbered(0, 20_000)
    after = [copy_item(item) for item in before[1:]] + [{"id": "new"}]
    after[4_999]["n"] = -1
    random.Random(5).shuffle(after)
    found = list(BucketDigest.of(before, KEYS).differences(BucketDigest.of(after, KEYS)))
    assert len(found) == 3
    assert sorted(one.target[0] - one.source[0] for one in found) == [-1, 0, 1]


def test_what_was_added_can_be_taken_away() -> None:
    """Subtracting leaves what was there before, without empty buckets."""
    total = BucketDigest.of(numbered(0, 50), KEYS)
    total.merge(BucketDigest.of(numbered(50, 80), KEYS))
    total.subtract(BucketDigest.of(numbered(0, 50), KEYS))
    assert total == BucketDigest.of(numbered(50, 80), KEYS)


@pytest.mark.parametrize("damaged", [b"", b"\x02", b"\x01\x00"])
def test_a_damaged_digest_is_refused(damaged: bytes) -> None:
    """Another version, or a part of an entry."""
    with pytest.raises(InvalidValue, match="damaged"):
        BucketDigest.unpack(damaged)
