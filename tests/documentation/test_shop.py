"""The shop of the examples: the same answers on each backend, sync and async, and from the versions on drivers."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.documentation.engines import store

if TYPE_CHECKING:
    from isthmus_engines.kinds import Kind, Running

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "shop"
BACKENDS = ["memory", "sqlite", "mongodb", "mongodb_standalone", "dynamodb"]


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path, running_engine: Callable[[Kind], Running]) -> Iterator[str]:
    """An empty store of the backend that the test names."""
    embedded = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path / 'shop.db'}"}
    if request.param in embedded:
        yield embedded[request.param]
        return
    stand = store(request.param, running_engine(request.param).url)
    yield stand.url
    stand.clear()


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports a module of the example."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield importlib.import_module
    for name in [name for name in sys.modules if name.split(".")[0] in ("shop", "raw")]:
        del sys.modules[name]


@pytest.fixture
def expected(modules: Callable[[str], Any]) -> list[Any]:
    """What the shop answers in memory."""
    with modules("shop.dal").Shop("memory://") as shop:
        found: list[Any] = modules("shop.story").tell(shop.ensure())
    return found


def told(folder: Path, *arguments: str, **variables: str) -> list[Any]:
    """What the shop as a program answers, configured by its environment and the files of the folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "shop", *arguments],
        env={**inherited, "PYTHONPATH": str(EXAMPLE), **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def without_versions(answer: Any) -> Any:
    """An answer without how often its records were written, which is a version's own business."""
    if isinstance(answer, list):
        return [without_versions(one) for one in answer]
    if isinstance(answer, dict):
        return {name: value for name, value in answer.items() if name != "version"}
    return answer


def test_the_story_is_worth_telling(expected: list[Any]) -> None:
    """It has successes, refusals of each kind, and what is left in the end."""
    refusals = {answer for answer in expected if isinstance(answer, str)}
    assert refusals >= {"AlreadyExists", "UniqueViolation", "ItemNotFound", "Bob can't pay that"}
    assert {"there are not enough of Comic", "order 1001 is shipped already"} <= refusals
    assert expected[-1] == 2_600


@pytest.mark.parametrize("url", BACKENDS, indirect=True)
def test_the_program_answers_alike_by_configuration_alone(url: str, tmp_path: Path, expected: list[Any]) -> None:
    """The environment names the backend; nothing else is different."""
    assert told(tmp_path, ISTHMUS_URL=url) == expected


@pytest.mark.parametrize("url", BACKENDS, indirect=True)
def test_the_async_program_answers_alike_by_a_file_alone(url: str, tmp_path: Path, expected: list[Any]) -> None:
    """The configuration file names the backend; the async shop answers as the sync one does."""
    (tmp_path / "isthmus.toml").write_text(f"[isthmus]\nurl = {json.dumps(url)}\n")
    assert told(tmp_path, "--async") == expected


@pytest.mark.parametrize("url", ["memory", "sqlite", "mongodb", "dynamodb"], indirect=True)
def test_the_last_pieces_are_sold_once(url: str, modules: Callable[[str], Any]) -> None:
    """Four buyers at once want three pieces; money and stock add up."""
    records, story = modules("shop.records"), modules("shop.story")
    with modules("shop.dal").Shop(url) as shop:
        shop.ensure().stock([records.Product("b1", "Atlas", "books", 10, 3)])
        for buyer in range(4):
            shop.register(str(buyer), f"Buyer {buyer}", f"{buyer}@example.org", 100)

        def buy(buyer: int) -> str:
            try:
                return str(shop.order(str(buyer), f"100{buyer}", story.NOON, {"b1": 1}).status.value)
            except modules("shop.rules").Refused as refused:
                return str(refused)

        with ThreadPoolExecutor(4) as pool:
            answers = sorted(pool.map(buy, range(4)))
        assert answers == ["open", "open", "open", "there are not enough of Atlas"]
        assert (shop.product("b1").available, shop.reserved("b1"), shop.total()) == (0, 3, 370)
        assert len(shop.open_orders()) == 3


@pytest.mark.parametrize("url", ["memory", "sqlite", "mongodb", "dynamodb"], indirect=True)
def test_the_last_pieces_are_sold_once_on_an_event_loop(url: str, modules: Callable[[str], Any]) -> None:
    """The same for four tasks."""
    records, story = modules("shop.records"), modules("shop.story")

    async def rush() -> None:
        async with modules("shop.async_dal").AsyncShop(url) as shop:
            await (await shop.ensure()).stock([records.Product("b1", "Atlas", "books", 10, 3)])
            for buyer in range(4):
                await shop.register(str(buyer), f"Buyer {buyer}", f"{buyer}@example.org", 100)
            buying = (shop.order(str(buyer), f"100{buyer}", story.NOON, {"b1": 1}) for buyer in range(4))
            answers = await asyncio.gather(*buying, return_exceptions=True)
            refused = [str(answer) for answer in answers if isinstance(answer, BaseException)]
            assert refused == ["there are not enough of Atlas"]
            found = (await shop.product("b1")).available, await shop.reserved("b1"), await shop.total()
            assert found == (0, 3, 370)

    asyncio.run(rush())


@pytest.mark.parametrize("url", ["dynamodb"], indirect=True)
def test_the_boto3_version_answers_alike(url: str, modules: Callable[[str], Any], expected: list[Any]) -> None:
    """Without Isthmus beneath it."""
    import boto3

    query = parse_qs(urlsplit(url).query)
    client = boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        endpoint_url=query["endpoint"][0],
        aws_access_key_id=query["access_key_id"][0],
        aws_secret_access_key="local",
    )
    shop = modules("raw.boto3_shop").Boto3Shop(client)
    shop.ensure()
    assert without_versions(modules("shop.story").tell(shop)) == without_versions(expected)
    client.close()


@pytest.mark.parametrize("url", ["mongodb"], indirect=True)
def test_the_pymongo_version_answers_alike(url: str, modules: Callable[[str], Any], expected: list[Any]) -> None:
    """Without Isthmus beneath it."""
    from pymongo import MongoClient

    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        shop = modules("raw.pymongo_shop").PyMongoShop(client)
        shop.ensure()
        assert without_versions(modules("shop.story").tell(shop)) == without_versions(expected)


def test_the_application_is_small() -> None:
    """About 300 lines, as the guide says."""
    files = [EXAMPLE / "shop" / name for name in ("records.py", "rules.py", "dal.py")]
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    assert 250 < len(lines) < 350
