"""The portable value model: normal values, their equality, order, size and encodings."""

from isthmus.values.canonical import canonical_bytes, from_canonical_bytes, item_digest
from isthmus.values.copies import copy_item, copy_value
from isthmus.values.model import (
    PORTABLE,
    TYPE_NAMES,
    WIDE,
    Item,
    Value,
    ValueLimits,
    equal,
    orderable,
    same_order_type,
    type_name,
)
from isthmus.values.names import RESERVED_PREFIX, check_key_name, check_name, check_table_name
from isthmus.values.normal import normalise, normalise_attributes, normalise_item, normalise_key_value
from isthmus.values.numbers import add_numbers, normalise_number, number_text
from isthmus.values.ordered import from_ordered_bytes, ordered_bytes, successor_prefix
from isthmus.values.portable_json import dumps, loads, loads_trusted
from isthmus.values.sizes import item_size, value_size

__all__ = [
    "PORTABLE",
    "RESERVED_PREFIX",
    "TYPE_NAMES",
    "WIDE",
    "Item",
    "Value",
    "ValueLimits",
    "add_numbers",
    "canonical_bytes",
    "check_key_name",
    "check_name",
    "check_table_name",
    "copy_item",
    "copy_value",
    "dumps",
    "equal",
    "from_canonical_bytes",
    "from_ordered_bytes",
    "item_digest",
    "item_size",
    "loads",
    "loads_trusted",
    "normalise",
    "normalise_attributes",
    "normalise_item",
    "normalise_key_value",
    "normalise_number",
    "number_text",
    "orderable",
    "ordered_bytes",
    "same_order_type",
    "successor_prefix",
    "type_name",
    "value_size",
]
