"""The folders that DynamoDB exports to and imports from."""

from __future__ import annotations

import gzip
import json
import time
from base64 import b64encode
from collections.abc import Iterator
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from isthmus import Table
from isthmus.errors import TableNotFound
from isthmus.values import Item
from isthmus_migration.errors import ExportDamaged, ExportUnsupported
from isthmus_migration.places.exports import open_export
from plugins.migration.tests.formats.helpers import CITIES, cities, items_of, read, write

MUSIC = Table("music", "Artist", "Song")
_ID = "01700000000000-a1b2c3d4"

# As the service writes them: attributes in any order, plain numbers, what the DynamoDB backend hides beside them.
_LINES = (
    '{"Item":{"Song":{"S":"Call Me"},"Artist":{"S":"The Wires"},"N":{"N":"1"},"__op":{"S":"01"},"__rv":{"S":"x"}}}',
    '{"Item":{"Artist":{"S":"The Wires"},"Song":{"S":"Howdy"},"Price":{"N":"2.50"},"Tags":{"SS":["b","a"]}}}',
    '{"Item":{"Artist":{"S":"Nil"},"Song":{"S":"1"},"Tiny":{"N":"0.' + "0" * 129 + '1"},"Big":{"N":"'
    + "9" * 38 + '"},"Bin":{"B":"AP8="},"L":{"L":[{"NULL":true},{"BOOL":false},{"M":{}}]},"NS":{"NS":["1","-2.5"]}}}',
)  # fmt: skip
_ITEMS: list[Item] = [
    {"Song": "Call Me", "Artist": "The Wires", "N": 1},
    {"Artist": "The Wires", "Song": "Howdy", "Price": Decimal("2.5"), "Tags": frozenset({"a", "b"})},
    {"Artist": "Nil", "Song": "1", "Tiny": Decimal("1E-130"), "Big": 10**38 - 1, "Bin": b"\0\xff",
     "L": [None, False, {}], "NS": frozenset({1, Decimal("-2.5")})},
]  # fmt: skip


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    digest = b64encode(md5(text.encode()).digest()).decode()
    path.with_suffix(".checksum").write_text(digest)


def aws_export(folder: Path, files: dict[str, tuple[str, ...]], **summary: Any) -> Path:
    """An export as AWS leaves it in a bucket, written by hand."""
    export = folder / "AWSDynamoDB" / _ID
    (export / "data").mkdir(parents=True)
    (export / "_started").touch()
    lines = []
    for name, content in files.items():
        data = gzip.compress("".join(f"{line}\n" for line in content).encode())
        (export / "data" / name).write_bytes(data)
        digest = md5(data)
        lines.append({
            "itemCount": len(content), "md5Checksum": b64encode(digest.digest()).decode(),
            "etag": f"{digest.hexdigest()}-1", "dataFileS3Key": f"some/prefix/AWSDynamoDB/{_ID}/data/{name}",
        })  # fmt: skip
    _write(export / "manifest-files.json", "".join(json.dumps(line) + "\n" for line in lines))
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/Music.v2"
    described = {
        "version": "2020-06-30", "tableArn": arn, "exportTime": "2026-01-01T00:00:00.000Z", "s3Bucket": "bucket",
        "manifestFilesS3Key": f"some/prefix/AWSDynamoDB/{_ID}/manifest-files.json",
        "itemCount": sum(map(len, files.values())), "outputFormat": "DYNAMODB_JSON", **summary,
    }  # fmt: skip
    _write(export / "manifest-summary.json", json.dumps(described))
    return export


_FILES = {"a.json.gz": _LINES[:2], "b.json.gz": (), "c.json.gz": _LINES[2:]}


@pytest.mark.parametrize("below", ["", "AWSDynamoDB", f"AWSDynamoDB/{_ID}"])
def test_an_export_of_aws_is_read(below: str, tmp_path: Path) -> None:
    """All items are read, empty files included, without what the DynamoDB backend hides; any of its folders will do."""
    aws_export(tmp_path, _FILES)
    with open_export(tmp_path / below, tables=[MUSIC]) as place:
        assert place.format == "dynamodb"
        assert place.tables() == [MUSIC]
        assert place.facts(MUSIC).items == 3
        assert place.digest(MUSIC) is None
        assert read(place, MUSIC) == (_ITEMS, [])
    with open_export(tmp_path / below) as worker:
        assert read(worker, MUSIC, items=1) == (_ITEMS, [])


def test_a_table_whose_key_nobody_knows_is_asked_for(tmp_path: Path) -> None:
    """AWS writes no key down, so its declaration has to be given."""
    aws_export(tmp_path, _FILES)
    with open_export(tmp_path) as place, pytest.raises(ExportUnsupported, match="partition_key"):
        place.tables()


def test_a_key_that_items_lack_makes_them_unreadable(tmp_path: Path) -> None:
    """Items that don't fit the declared key are reported, not invented."""
    aws_export(tmp_path, _FILES)
    wrong = Table("Music", "Artist", ("Song", int))
    with open_export(tmp_path, tables=[wrong]) as place:
        items, faults = read(place, wrong)
    assert not items
    assert len(faults) == 3
    assert all("'Song'" in fault.error.message for fault in faults)


@pytest.mark.parametrize(("summary", "reason"), [
    ({"outputFormat": "ION"}, "ION"), ({"exportType": "INCREMENTAL_EXPORT"}, "incremental"),
])  # fmt: skip
def test_other_kinds_of_exports_are_refused(summary: dict[str, str], reason: str, tmp_path: Path) -> None:
    """Ion and incremental exports are refused with the reason."""
    aws_export(tmp_path, _FILES, **summary)
    with pytest.raises(ExportUnsupported, match=reason):
        open_export(tmp_path, tables=[MUSIC])


def test_lines_of_changes_are_no_items(tmp_path: Path) -> None:
    """A line of an incremental export among the others is reported with its bytes."""
    change = '{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"Artist":{"S":"a"},"Song":{"S":"b"}}}'
    aws_export(tmp_path, {"a.json.gz": (_LINES[0], change)})
    with open_export(tmp_path, tables=[MUSIC]) as place:
        items, faults = read(place, MUSIC)
    assert items == _ITEMS[:1]
    assert [(fault.original, "incremental" in fault.error.message) for fault in faults] == [(change.encode(), True)]


_NO_VALUES = (
    '{"N":5}', '{"X":"b"}', '{"N":"1","S":"b"}', "{}", '"b"', '{"S":5}', '{"SS":[]}', '{"SS":["b","b"]}', '{"SS":"ab"}',
    '{"NS":["1","1.0"]}', '{"SS":[1]}', '{"N":"NaN"}', '{"N":"1e999999999"}', '{"N":" 1"}', '{"N":"' + "9" * 39 + '"}',
    '{"NULL":false}', '{"B":"%"}', '{"BOOL":1}', '{"L":{}}', '{"M":[]}', '{"M":{"":{"S":"x"}}}',
    *('{"M":{"a":' * levels + '{"S":"x"}' + "}}" * levels for levels in (60, 300, 5_000)),
)  # fmt: skip
_MALFORMED = (
    "{", "[]", '{"Item":[]}', '{"Item":{"Artist":{"S":"a"},"Song":{"S":"b"}},"More":1}',
    *(f'{{"Item":{{"Artist":{{"S":"a"}},"Song":{{"S":"b"}},"a":{value}}}}}' for value in _NO_VALUES),
    '{"Item":{"Artist":{"S":"a"},"Song":{"S":"b"},"Song":{"S":"c"}}}',
    '{"Item":{"Artist":{"S":"a"},"Song":{"S":"b"}},"Item":{"Artist":{"S":"a"},"Song":{"S":"c"}}}',
    '{"Item":{"Artist":{"S":"a"},"Song":{"S":"b"},"a":{"M":{"\\u0061":{"S":"x"},"a":{"S":"y"}}}}}',
)  # fmt: skip


def test_malformed_lines_are_reported(tmp_path: Path) -> None:
    """S8: a line that no item can be made of is reported with its bytes and its place; the others are read."""
    aws_export(tmp_path, {"a.json.gz": (_LINES[0], *_MALFORMED, _LINES[1])})
    with open_export(tmp_path, tables=[MUSIC]) as place:
        items, faults = read(place, MUSIC)
    assert items == _ITEMS[:2]
    assert [fault.original for fault in faults] == [line.encode() for line in _MALFORMED]
    assert faults[0].name == f"AWSDynamoDB/{_ID}/data/a.json.gz:2"


@pytest.mark.parametrize("name", ["manifest-files.json", "manifest-summary.json", "data/a.json.gz"])
def test_damage_is_found(name: str, tmp_path: Path) -> None:
    """A flipped byte in a manifest or in a file is found by AWS's checksums."""
    path = aws_export(tmp_path, _FILES) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ExportDamaged, match=Path(name).name), open_export(tmp_path, tables=[MUSIC]) as place:
        read(place, MUSIC)


@pytest.mark.parametrize("name", ["manifest-files.json", "manifest-summary.json"])
def test_manifests_without_bottom_are_refused(name: str, tmp_path: Path) -> None:
    """Nesting that no reader follows is damage, where there is no checksum either."""
    path = aws_export(tmp_path, _FILES) / name
    path.with_suffix(".checksum").unlink()
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(ExportDamaged, match=name):
        open_export(tmp_path, tables=[MUSIC])


def test_a_checksum_that_leads_out_of_the_export_is_refused(tmp_path: Path) -> None:
    """It could be anything, of any length."""
    path = aws_export(tmp_path / "export", _FILES) / "manifest-files.checksum"
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(ExportDamaged, match="inside"):
        open_export(tmp_path / "export", tables=[MUSIC])


def test_a_file_that_was_replaced_is_found(tmp_path: Path) -> None:
    """A file that is sound in itself but not the one of the manifest is found by its checksum."""
    path = aws_export(tmp_path, _FILES) / "data" / "a.json.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in reversed(_LINES[:2])).encode()))
    with open_export(tmp_path, tables=[MUSIC]) as place, pytest.raises(ExportDamaged, match="checksum"):
        read(place, MUSIC)


def test_missing_and_surplus_files_are_found(tmp_path: Path) -> None:
    """A file that the manifest names and the folder lacks is an error, and so is the contrary."""
    data = aws_export(tmp_path, _FILES) / "data"
    (data / "c.json.gz").rename(data / "d.json.gz")
    with pytest.raises(ExportDamaged, match=r"lacks its file .*c\.json\.gz"):
        open_export(tmp_path, tables=[MUSIC])
    (data / "c.json.gz").write_bytes((data / "d.json.gz").read_bytes())
    with pytest.raises(ExportDamaged, match=r"d\.json\.gz is not in the manifest"):
        open_export(tmp_path, tables=[MUSIC])


@pytest.mark.parametrize("key", ["../../../secret.json.gz", "data/..", "data/.hidden.json.gz", "secret.txt", ""])
def test_names_in_manifests_stay_inside(key: str, tmp_path: Path) -> None:
    """A key in a manifest can name a file of the data folder, and nothing else."""
    export = aws_export(tmp_path, _FILES)
    (tmp_path / "secret.json.gz").touch()
    (export / "data" / "secret.txt").touch()
    (export / "data" / ".hidden.json.gz").touch()
    lines = [json.loads(line) for line in (export / "manifest-files.json").read_text().splitlines()]
    lines[0]["dataFileS3Key"] = key
    _write(export / "manifest-files.json", "".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ExportDamaged, match=r"manifest-files|lacks its file"):
        open_export(tmp_path, tables=[MUSIC])


def test_a_wrong_number_of_items_is_found(tmp_path: Path) -> None:
    """The manifests must agree with each other, and the files with them."""
    aws_export(tmp_path, _FILES, itemCount=7)
    with pytest.raises(ExportDamaged, match="number of items"):
        open_export(tmp_path, tables=[MUSIC])


def test_several_tables_need_their_names(tmp_path: Path) -> None:
    """With one export the definition names the table, with several ones their names must agree."""
    first = aws_export(tmp_path, _FILES)
    aws_export(tmp_path / "other", _FILES, tableArn="arn:aws:dynamodb:eu-central-1:1:table/Books")
    (tmp_path / "other" / "AWSDynamoDB" / _ID).rename(first.parent / "other")
    with pytest.raises(TableNotFound, match=r"Books, Music\.v2|Music\.v2, Books"):
        open_export(tmp_path, tables=[MUSIC])


# ---- what we write ----


def test_manifests_are_those_of_aws(tmp_path: Path) -> None:
    """Without our own manifest an export of ours is one of AWS's: manifests, checksums, files and all items."""
    write(tmp_path / "export", "dynamodb", cities(25))
    (tmp_path / "export" / "manifest.json").unlink()
    with open_export(tmp_path / "export", tables=[CITIES]) as place:
        assert place.facts(CITIES).items == 25
        assert read(place) == (cities(25), [])
    (summary,) = (tmp_path / "export").glob("AWSDynamoDB/*/manifest-summary.json")
    content = json.loads(summary.read_text())
    assert content["version"] == "2020-06-30"
    assert content["tableArn"].endswith(":table/cities")
    assert content["manifestFilesS3Key"] == summary.with_name("manifest-files.json").relative_to(
        tmp_path / "export").as_posix()  # fmt: skip


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An emulated AWS in this process."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield


@pytest.mark.usefixtures("aws")
def test_an_export_is_taken_by_import_table(tmp_path: Path) -> None:
    """The data folder, uploaded to S3, is what ImportTable wants; each item arrives."""
    # The emulator's own parser loses lines with an empty map in a list.
    items = [{**item, "more": [1, None, {"a": True}]} for item in cities(25)]
    write(tmp_path / "export", "dynamodb", items)
    s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
    s3.create_bucket(Bucket="bucket")
    for path in (tmp_path / "export").glob("AWSDynamoDB/*/data/*"):
        s3.upload_file(str(path), "bucket", path.relative_to(tmp_path / "export").as_posix())
    dynamodb.import_table(
        S3BucketSource={"S3Bucket": "bucket", "S3KeyPrefix": "AWSDynamoDB/"}, InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP", TableCreationParameters={
            "TableName": "cities", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "country", "AttributeType": "S"},
                                     {"AttributeName": "id", "AttributeType": "N"}],
            "KeySchema": [{"AttributeName": "country", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
        },
    )  # fmt: skip
    dynamodb.get_waiter("table_exists").wait(TableName="cities")
    found = _scanned(dynamodb, 25)
    assert len(found) == 25
    assert {item["at"]["N"] for item in found} == {"47.36667"}
    assert all(item["more"] == {"L": [{"N": "1"}, {"NULL": True}, {"M": {"a": {"BOOL": True}}}]} for item in found)


def _scanned(client: Any, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found: list[dict[str, Any]] = client.scan(TableName="cities")["Items"]
        if len(found) >= count:
            return found
        time.sleep(0.05)
    return found


def test_items_of_ours_keep_hidden_names(tmp_path: Path) -> None:
    """What the DynamoDB backend hides is left out of AWS's exports only: ours hold what items have."""
    item: Item = {"country": "CH", "id": 1, "__op": "mine"}
    write(tmp_path / "export", "dynamodb", [item])
    assert items_of(tmp_path / "export") == [item]


def test_escapes_and_blanks_are_no_damage(tmp_path: Path) -> None:
    """JSON that others have written in a longer way is read as well."""
    line = '{ "Item": {"\\u0041rtist": {"S": "a\\/b"}, "Song": {"S": "\\u00e9"}} }\r'
    aws_export(tmp_path, {"a.json.gz": (line,)})
    with open_export(tmp_path, tables=[MUSIC]) as place:
        assert read(place, MUSIC) == ([{"Artist": "a/b", "Song": "é"}], [])


@pytest.mark.parametrize("sign", ["data", "_started", "manifest-files.json"])
def test_an_export_that_was_not_finished_is_found(sign: str, tmp_path: Path) -> None:
    """Among exports of several tables one without its summary is an error, and not a table less."""
    aws_export(tmp_path, _FILES)
    (tmp_path / "AWSDynamoDB" / "01700000000001-b" / sign).mkdir(parents=True)
    with pytest.raises(ExportDamaged, match="01700000000001-b lacks"):
        open_export(tmp_path, tables=[MUSIC])
    with open_export(tmp_path / "AWSDynamoDB" / _ID, tables=[MUSIC]) as place:
        assert read(place, MUSIC) == (_ITEMS, [])
