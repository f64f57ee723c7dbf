"""Tables of truths: an item's attributes, a condition, and whether it holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from isthmus import F
from isthmus.expressions import ALWAYS, NEVER, Condition, all_of, any_of

# Name of the case, the item's attributes, the condition, whether it holds.
Cases = tuple[tuple[str, dict[str, Any], Condition, bool], ...]

MISSING: Cases = (
    ("missing equals nothing", {}, F.a == 1, False),
    ("missing does not equal null", {}, F.a == None, False),  # noqa: E711  # builds a condition
    ("missing does not equal missing", {}, F.a == F.b, False),
    ("missing differs from a value", {}, F.a != 1, True),
    ("missing differs from null", {}, F.a != None, True),  # noqa: E711  # as above
    ("missing differs from missing", {}, F.a != F.b, True),
    ("missing is below a parent of another type", {"a": 1}, F.a.x == 1, False),
    ("null exists", {"a": None}, F.a.exists(), True),
    ("null is not absent", {"a": None}, F.a.not_exists(), False),
    ("null equals null", {"a": None}, F.a == None, True),  # noqa: E711  # as above
    ("null is of type null", {"a": None}, F.a.is_type("null"), True),
    ("missing has no type", {}, F.a.is_type("null"), False),
    ("missing does not exist", {}, F.a.not_exists(), True),
    ("null in a list of alternatives", {"a": None}, F.a.in_([1, None]), True),
    ("missing is no null alternative", {}, F.a.in_([1, None]), False),
)
ORDER: Cases = (
    ("missing is not less", {}, F.a < 5, False),
    ("missing is not greater", {}, F.a >= 5, False),
    ("missing is not between", {}, F.a.between(1, 9), False),
    ("string against number", {"a": "4"}, F.a < 5, False),
    ("number against string", {"a": 4}, F.a < "5", False),
    ("null against number", {"a": None}, F.a < 5, False),
    ("boolean against number", {"a": False}, F.a < 5, False),
    ("map against number", {"a": {"x": 1}}, F.a > 0, False),
    ("list against number", {"a": [1]}, F.a > 0, False),
    ("set against number", {"a": {1}}, F.a > 0, False),
    ("binary against string", {"a": b"a"}, F.a < "b", False),
    ("not less is true for missing", {}, ~(F.a < 5), True),
    ("not less is true for another type", {"a": "x"}, ~(F.a < 5), True),
    ("two attributes of different types", {"a": 1, "b": "2"}, F.a < F.b, False),
    ("two attributes in order", {"a": 1, "b": Decimal("1.5")}, F.a < F.b, True),
    ("between includes both ends", {"a": 1}, F.a.between(1, 1), True),
    ("between with ends of two types", {"a": 1}, F.a.between(0, "z"), False),
    ("between with low above high", {"a": 5}, F.a.between(9, 1), False),
    ("not between with low above high", {"a": 5}, ~F.a.between(9, 1), True),
    ("code point order", {"a": "\uffee"}, F.a < "\U0001f600", True),
    ("upper case before lower case", {"a": "B"}, F.a < "a", True),
    ("unsigned bytes", {"a": b"\x7f"}, F.a < b"\x80", True),
    ("bytes not by length", {"a": b"b"}, F.a > b"aa", True),
    ("number beyond doubles", {"a": 2**53 + 1}, F.a > 2**53, True),
    ("fraction beyond doubles", {"a": Decimal("0.1")}, F.a == Decimal("0.1"), True),
)
TYPES: Cases = (
    ("true is not 1", {"a": True}, F.a == 1, False),
    ("1 is not true", {"a": 1}, F.a == True, False),  # noqa: E712  # builds a condition
    ("true differs from 1", {"a": True}, F.a != 1, True),
    ("false is not 0", {"a": 0}, F.a.in_([False]), False),
    ("true in a list is not 1", {"a": [True]}, F.a == [1], False),
    ("list contains typed members", {"a": [True]}, F.a.contains(1), False),
    ("1 equals 1.0", {"a": 1}, F.a == 1.0, True),
    ("number is not text", {"a": 1}, F.a == "1", False),
    ("binary is not text", {"a": b"a"}, F.a == "a", False),
    ("is_type knows numbers", {"a": Decimal("1.5")}, F.a.is_type("number"), True),
    ("is_type tells booleans", {"a": True}, F.a.is_type("number"), False),
    ("is_type knows sets", {"a": {"x"}}, F.a.is_type("string_set"), True),
)
CONTAINERS: Cases = (
    ("no look into lists", {"a": [1, 5]}, F.a == 5, False),
    ("no order inside lists", {"a": [1, 5]}, F.a > 3, False),
    ("no names through lists", {"a": [{"x": 5}]}, F.a.x == 5, False),
    ("contains looks into lists", {"a": [1, 5]}, F.a.contains(5), True),
    ("contains a list", {"a": [[1], 2]}, F.a.contains([1]), True),
    ("contains looks into sets", {"a": {1, 5}}, F.a.contains(5), True),
    ("contains typed members of sets", {"a": {1, 5}}, F.a.contains("5"), False),
    ("contains a part of text", {"a": "xyz"}, F.a.contains("y"), True),
    ("contains the empty text", {"a": "xyz"}, F.a.contains(""), True),
    ("contains takes members of lists whole", {"a": ["xyz"]}, F.a.contains("y"), False),
    ("contains takes members of sets whole", {"a": {"xyz"}}, F.a.contains("y"), False),
    ("contains is false for maps", {"a": {"x": 1}}, F.a.contains("x"), False),
    ("contains is false for numbers", {"a": 15}, F.a.contains("5"), False),
    ("contains a part of binary", {"a": b"xyz"}, F.a.contains(b"y"), True),
    ("an index is no name", {"a": {"0": 1}}, F.a[0].exists(), False),
    ("a name is no index", {"a": [1]}, F.a["0"].exists(), False),
    ("an index reads no map", {"a": {"0": 1}}, F.a[0] == 1, False),
    ("a name reads no list", {"a": [1]}, F.a["0"] == 1, False),
    ("an index reads a list", {"a": [1, 2]}, F.a[1] == 2, True),
    ("past the end is missing", {"a": [1]}, F.a[1].exists(), False),
    ("past the end differs", {"a": [1]}, F.a[1] != 1, True),
    ("map equality ignores order", {"a": {"x": 1, "y": 2}}, F.a == {"y": 2, "x": 1}, True),
    ("map equality counts names", {"a": {"x": 1, "y": 2}}, F.a == {"x": 1}, False),
    ("list equality counts order", {"a": [1, 2]}, F.a == [2, 1], False),
    ("list equality", {"a": [1, [2]]}, F.a == [1, [2]], True),
    ("set equality ignores order", {"a": {"x", "y"}}, F.a == {"y", "x"}, True),
    ("nested set equality", {"a": [{"s": {1, 2}}]}, F.a == [{"s": {2, 1}}], True),
    ("a set is no list", {"a": {1}}, F.a == [1], False),
    ("a list is no set", {"a": [1]}, F.a == {1}, False),
    ("sets of another type differ", {"a": {1}}, F.a == {"1"}, False),
    ("an operator-like map is plain", {"a": {"$ref": "x", "$id": 1}}, F.a == {"$id": 1, "$ref": "x"}, True),
)
TEXT: Cases = (
    ("prefix", {"a": "abc"}, F.a.begins_with("ab"), True),
    ("empty prefix of text", {"a": "abc"}, F.a.begins_with(""), True),
    ("empty prefix of a number", {"a": 1}, F.a.begins_with(""), False),
    ("empty prefix of missing", {}, F.a.begins_with(""), False),
    ("wildcards are literal", {"a": "abc"}, F.a.begins_with("a%"), False),
    ("underscore is literal", {"a": "abc"}, F.a.begins_with("a_c"), False),
    ("pattern characters", {"a": "a.*[b"}, F.a.begins_with("a.*["), True),
    ("stars are literal in contains", {"a": "abc"}, F.a.contains("*"), False),
    ("case counts in prefixes", {"a": "ABC"}, F.a.begins_with("ab"), False),
    ("case counts in parts", {"a": "ABC"}, F.a.contains("b"), False),
    ("last code point", {"a": "\U0010ffff\U0010ffffx"}, F.a.begins_with("\U0010ffff"), True),
    ("prefix before the surrogates", {"a": "\ud7ffx"}, F.a.begins_with("\ud7ff"), True),
    ("binary prefix", {"a": b"\xff\xff\x01"}, F.a.begins_with(b"\xff"), True),
    ("text prefix of binary", {"a": b"ab"}, F.a.begins_with("a"), False),
    ("NUL in the middle", {"a": "a\0b"}, F.a.begins_with("a\0"), True),
    ("NUL ends nothing", {"a": "a\0b"}, F.a == "a", False),
    ("an operator-like string is plain", {"a": "$b", "b": 1}, F.a == "$b", True),
    ("composed is not decomposed", {"a": "\u00e9"}, F.a == "e\u0301", False),
)
SIZE: Cases = (
    ("size in UTF-16 units", {"a": "\u00e9\U0001f600"}, F.a.size() == 3, True),
    ("size of text with NUL", {"a": "a\0b"}, F.a.size() == 3, True),
    ("size of binary", {"a": b"a\0b"}, F.a.size() == 3, True),
    ("size of a list", {"a": [1, [2, 3]]}, F.a.size() == 2, True),
    ("size of a map", {"a": {"x": 1, "y": 2}}, F.a.size() == 2, True),
    ("size of a set", {"a": {1, 2, 3}}, F.a.size() == 3, True),
    ("size of an empty list", {"a": []}, F.a.size() == 0, True),
    ("a number has no size", {"a": 5}, F.a.size() > 0, False),
    ("a number's size differs", {"a": 5}, F.a.size() != 1, True),
    ("missing has no size", {}, F.a.size() >= 0, False),
    ("size against an attribute", {"a": "ab", "b": 2}, F.a.size() == F.b, True),
)
LOGIC: Cases = (
    ("and of nothing", {}, all_of([]), True),
    ("or of nothing", {}, any_of([]), False),
    ("not always", {}, ~ALWAYS, False),
    ("and with never", {"a": 1}, (F.a == 1) & NEVER, False),
    ("or with never", {"a": 1}, (F.a == 1) | NEVER, True),
    ("in of nothing", {"a": 1}, F.a.in_([]), False),
    ("not in of nothing", {"a": 1}, ~F.a.in_([]), True),
    ("in of many", {"a": 150}, F.a.in_(list(range(200))), True),
    ("in of many misses", {"a": 200}, F.a.in_(list(range(200))), False),
    ("in is typed", {"a": True}, F.a.in_(list(range(200))), False),
    ("itself equals itself when present", {"a": None}, F.a == F.a, True),  # has a meaning here
    ("itself does not equal itself when missing", {}, F.a == F.a, False),  # as above
    ("itself differs from itself when missing", {}, F.a != F.a, True),  # as above
    ("twice negated", {"a": 1}, ~~(F.a == 1), True),
    ("repeated condition", {"a": 1}, (F.a == 1) & (F.a == 1) & ((F.a == 1) | (F.a == 1)), True),
    ("negated conjunction", {"a": 1}, ~((F.a == 1) & (F.b == 2)), True),
    ("not binds the whole", {"a": 1, "b": 2}, ~((F.a == 1) | (F.b == 3)), False),
)
NAMES: Cases = (
    ("a dot is part of a name", {"a.b": 1}, F["a.b"] == 1, True),
    ("a dot is no path", {"a": {"b": 1}}, F["a.b"] == 1, False),
    ("a path is no dotted name", {"a.b": 1}, F.a.b == 1, False),
    ("dollar names", {"$set": 1}, F["$set"] == 1, True),
    ("nested dollar names", {"a": {"$x": {"b.c": 1}}}, F.a["$x"]["b.c"] == 1, True),
    (
        "reserved words",
        {"size": 1, "status": 2, "name": 3},
        (F["size"] == 1) & (F.status == 2) & (F["name"] == 3),
        True,
    ),
    ("number-like names", {"42": 1}, F["42"] == 1, True),
    ("quotes in names", {"a'b\"c": 1}, F["a'b\"c"] == 1, True),
    ("brackets in names", {"a[0]": 1}, F["a[0]"] == 1, True),
    ("percent names", {"%24": 1}, F["%24"] == 1, True),
)
