"""``isthmus demo --to`` on the real engines, by their names."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

import isthmus
from isthmus.cli.app import run


@pytest.fixture
def places(mongodb_url: str, dynamodb_url: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Places of this test alone on the shared servers, which the names of the engines lead to."""
    dynamodb = f"{dynamodb_url}&prefix=demo-"
    mongodb = urlunsplit(urlsplit(mongodb_url)._replace(path="/isthmus-demo"))
    monkeypatch.setenv("ISTHMUS_ENGINE_DYNAMODB_URL", dynamodb)
    monkeypatch.setenv("ISTHMUS_ENGINE_MONGODB_URL", mongodb)
    return [dynamodb, mongodb]


def tables_at(url: str) -> list[str]:
    """The tables of a database."""
    with isthmus.connect(url) as database:
        return database.tables.list()


@pytest.mark.xdist_group("demo")
def test_the_demo_ends_with_equal_digests(
    places: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same steps on SQLite, DynamoDB and MongoDB, then DynamoDB -> MongoDB -> SQLite; the servers are cleared."""
    targets = ["--to", "dynamodb", "--to", "mongodb"]
    code = run(["demo", "--file", str(tmp_path / "a.db"), "--cities", "80", *targets, "--json"])
    captured = capsys.readouterr()
    assert captured.err == ""
    shown = json.loads(captured.out)
    copies = [(one["step"], one["count"]) for one in shown["copies"]]
    assert (code, copies) == (0, [("dynamodb -> mongodb", 80), ("mongodb -> sqlite", 80)])
    digests = {one["facts"]["digest of both sides"] for one in [shown["steps"][-1], *shown["copies"]]}
    assert digests == {f"{shown['digest'][:32]}…"}
    assert [tables_at(url) for url in places] == [[], []]
