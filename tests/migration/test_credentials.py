"""Credentials that expire while a migration runs: it waits for new ones, and loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest

import isthmus
from isthmus import Table
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from tests.faults.front import Act, Forward, Front, Json, front, refusal

_TABLE = Table("credentials", "id")


@pytest.fixture
def service(dynamodb_url: str) -> Iterator[Front]:
    """What stands before the service."""
    endpoint = urlsplit(parse_qs(urlsplit(dynamodb_url).query)["endpoint"][0])
    with front((endpoint.hostname or "", endpoint.port or 0)) as found:
        yield found


def _url(service: Front, dynamodb_url: str, prefix: str) -> str:
    parts = urlsplit(dynamodb_url)
    options = {name: found[-1] for name, found in parse_qs(parts.query).items()}
    options |= {
        "endpoint": f"http://{service.address}",
        "access_key_id": f"credentials{time.time_ns()}",
        "prefix": prefix,
    }
    return urlunsplit(parts._replace(query=urlencode(options)))


def _expired_until(renewed: threading.Event) -> list[Act]:
    def act(body: Json, forward: Forward) -> tuple[int, Json]:
        return (200, forward(body)) if renewed.is_set() else refusal("ExpiredTokenException")(body, forward)

    return [act] * 500


def _items() -> list[dict[str, Any]]:
    return [{"id": f"k{number}", "n": number} for number in range(60)]


@pytest.mark.parametrize("end", ["source", "target"])
def test_a_run_waits_for_credentials(tmp_path: Path, dynamodb_url: str, service: Front, end: str) -> None:
    """The reason is told while it waits; nothing became a dead letter, and all items are there in the end."""
    far, near = _url(service, dynamodb_url, "expiring-"), f"sqlite:///{tmp_path}/near.db"
    source, target = (far, near) if end == "source" else (near, far)
    with isthmus.connect(source) as database:
        database.tables.create(_TABLE).put_many(_items()).raise_for_failures()
    migration = Migration.plan(source, target, workdir=tmp_path / "work", units=2)
    action = "Scan" if end == "source" else "BatchWriteItem"
    renewed = threading.Event()
    service.plan(action, *_expired_until(renewed))

    def renew(code: str, data: dict[str, Any]) -> None:
        if code == "waiting" and "credentials" in data["reason"]:
            renewed.set()

    assert migration.run(engine="inline", options=RunOptions(listener=renew)).finished
    assert renewed.is_set()
    with migration.work.journal(writable=False) as journal:
        assert (journal.counts("copy").read, journal.counts("copy").dead) == (60, 0)
    with isthmus.connect(target) as database:
        assert sorted(database.tables.open(_TABLE.name).scan(), key=lambda item: int(str(item["n"]))) == _items()


def test_a_run_that_has_waited_too_long_is_paused_and_goes_on(
    tmp_path: Path, dynamodb_url: str, service: Front
) -> None:
    """With the reason; whoever has new credentials resumes it."""
    source, target = f"sqlite:///{tmp_path}/near.db", _url(service, dynamodb_url, "expiring-")
    with isthmus.connect(source) as database:
        database.tables.create(_TABLE).put_many(_items()).raise_for_failures()
    migration = Migration.plan(source, target, workdir=tmp_path / "work", units=1)
    renewed = threading.Event()
    service.plan("BatchWriteItem", *_expired_until(renewed))
    outcome = migration.run(engine="inline", options=RunOptions(patience=0.5))
    assert (outcome.ending, "credentials" in outcome.reason) == ("unreachable", True)
    with migration.work.journal(writable=False) as journal:
        assert (journal.state, journal.counts("copy").read) == (State.PAUSED, 0)
    renewed.set()
    assert migration.run(engine="inline").finished
    with isthmus.connect(target) as database:
        assert database.tables.open(_TABLE.name).scan().count() == 60
