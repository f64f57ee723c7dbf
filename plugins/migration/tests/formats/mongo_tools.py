"""What mongodump and mongorestore do with a folder, by the driver: the tools themselves are not needed for tests."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from bson import decode_all
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

_DATES: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)


def dump(database: Database[Any], folder: Path, *, zipped: bool) -> Path:
    """Write all collections: documents one after the other, options and indexes beside them."""
    target = folder / database.name
    target.mkdir(parents=True)
    suffix, pack = (".gz", gzip.compress) if zipped else ("", bytes)
    for found in database.list_collections():
        name = found["name"]
        documents = database.get_collection(name, codec_options=CodecOptions(RawBSONDocument)).find()
        (target / f"{name}.bson{suffix}").write_bytes(pack(b"".join(one.raw for one in documents)))
        indexes = [dict(index) for index in database[name].list_indexes()]
        metadata = {
            "indexes": indexes,
            "uuid": found["info"]["uuid"].hex(),
            "collectionName": name,
            "type": "collection",
        }
        text = dumps(metadata, json_options=CANONICAL_JSON_OPTIONS)
        (target / f"{name}.metadata.json{suffix}").write_bytes(pack(text.encode()))
    return target


def restore(folder: Path, database: Database[Any]) -> list[str]:
    """Load all collections of a dump, with their indexes; their names."""
    restored = []
    for path in sorted(folder.glob("*.metadata.json*")):
        unpack = gzip.decompress if path.suffix == ".gz" else bytes
        metadata = loads(unpack(path.read_bytes()).decode(), json_options=CANONICAL_JSON_OPTIONS)
        name = metadata["collectionName"]
        documents = path.with_name(path.name.replace(".metadata.json", ".bson"))
        database.create_collection(name, **metadata.get("options", {}))
        indexes = [index for index in metadata["indexes"] if index["name"] != "_id_"]
        if indexes:
            database.command({"createIndexes": name, "indexes": indexes})
        found = decode_all(unpack(documents.read_bytes()), _DATES)
        if found:
            database.get_collection(name, codec_options=_DATES).insert_many(found)
        restored.append(name)
    return restored
