"""The portable value model: normal values, their equality, order, size and encodings."""

from .canonical import canonical_bytes, from_canonical_bytes, item_digest
from .model import PORTABLE, TYPE_NAMES, WIDE, Item, Value, ValueLimits, equal, orderable, same_order_type, type_name
from .names import RESERVED_PREFIX, check_key_name, check_name, check_table_name
from .normal import normalise, normalise_item, normalise_key_value
from .numbers import add_numbers, normalise_number, number_text, subtract_numbers
from .ordered import from_ordered_bytes, ordered_bytes, successor_prefix
from .portable_json import dumps, loads, loads_trusted
from .sizes import item_size, value_size

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
    "dumps",
    "equal",
    "from_canonical_bytes",
    "from_ordered_bytes",
    "item_digest",
    "item_size",
    "loads",
    "loads_trusted",
    "normalise",
    "normalise_item",
    "normalise_key_value",
    "normalise_number",
    "number_text",
    "orderable",
    "ordered_bytes",
    "same_order_type",
    "subtract_numbers",
    "successor_prefix",
    "type_name",
    "value_size",
]
