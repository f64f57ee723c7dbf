"""How items become records of files and back, separators included; decoding gets records without them."""

from __future__ import annotations

from typing import Final

from isthmus.dumps import DumpCodec
from isthmus.errors import InvalidKey, InvalidStoredValue, InvalidValue
from isthmus.schema import Key, Table
from isthmus.values import Item, dumps, loads
from isthmus_migration.formats.dynamodb_values import decode_line, encode_line


class JsonCodec(DumpCodec):
    """The lossless JSON of ``isthmus.values.dumps``, one item a line.

    It has a reader that checks everything and a description of its own, and people can read it. The text that is
    hashed for digests is quicker to write, but is no JSON.
    """

    def encode(self, item: Item) -> bytes:
        return dumps(item).encode() + b"\n"

    def decode(self, record: bytes) -> Item:
        try:
            item = loads(record.decode())
        except UnicodeDecodeError:
            raise InvalidStoredValue("the line is not UTF-8: export the table again") from None
        except InvalidValue as error:
            raise InvalidStoredValue(error.message) from error
        if type(item) is not dict:
            raise InvalidStoredValue("the line is JSON, but no item: an item is an object")
        return item


class DynamoDBCodec(DumpCodec):
    """Lines as AWS writes them: ``{"Item": {"name": {"S": "…"}, …}}``.

    :param foreign: whether AWS wrote them, so that what the DynamoDB backend keeps beside an item may be there
    """

    def __init__(self, *, foreign: bool) -> None:
        self._hidden = _HIDDEN if foreign else ()

    def encode(self, item: Item) -> bytes:
        return encode_line(item)

    def decode(self, record: bytes) -> Item:
        item = decode_line(record)
        for name in self._hidden:
            item.pop(name, None)
        return item


_HIDDEN: Final = ("__op", "__rv")


_TYPES: Final = {"string": frozenset({str}), "binary": frozenset({bytes})}


def check_read_key(table: Table, item: Item) -> None:
    """Refuse an item of a file that is none of the table's.

    :raises InvalidStoredValue: it lacks a key attribute, or has one that is empty or of another type
    """
    key = _unfit_key(table, item)
    if key is not None:
        raise InvalidStoredValue(
            f"the item lacks the key attribute {key.name!r} of table {table.name!r}, or has it empty or with another"
            f" type than {key.type}"
        )


def check_written_key(table: Table, item: Item) -> None:
    """Refuse an item that could not be read back.

    :raises InvalidKey: it lacks a key attribute, or has one that is empty or of another type
    """
    key = _unfit_key(table, item)
    if key is not None:
        raise InvalidKey(f"{key.name}: is missing or empty, or no {key.type}, but is a key attribute of the table")


def _unfit_key(table: Table, item: Item) -> Key | None:
    for key in table.keys:
        value = item.get(key.name)
        if key.type == "number":
            fits = not isinstance(value, (str, bytes, bool, dict, list, frozenset)) and value is not None
        else:
            fits = type(value) in _TYPES[key.type] and bool(value)
        if not fits:
            return key
    return None
