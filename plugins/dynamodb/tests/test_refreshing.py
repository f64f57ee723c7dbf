"""Credentials that are slow to come: calls keep their deadlines, and one question is asked for all of them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isthmus.errors import DeadlineExceeded, IsthmusError, Unauthenticated
from isthmus_dynamodb.native import NotSent, ServiceError, Transport
from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports import open_transport
from plugins.dynamodb.tests.servers import (
    LIST_TABLES,
    Together,
    answer,
    answering,
    by_tasks,
    by_threads,
    calling,
    read_request,
    serving,
    until,
)

FROM_AWS = {"access_key_id": None, "secret_access_key": None}
KEYS = "[default]\naws_access_key_id = {}\naws_secret_access_key = s\n"
EXPIRED = answer(b'{"__type":"x#ExpiredTokenException"}', status="400 Bad Request")
CALLS = 6

PROGRAM = """
import datetime, json, pathlib, sys, time
folder, lasting, held_from = pathlib.Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
if (folder / f"made-{held_from - 1}").exists():
    while not (folder / "go").exists():
        time.sleep(0.01)
(folder / f"made-{len(list(folder.glob('made-*')))}").touch()
end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=lasting)
print(json.dumps({"Version": 1, "AccessKeyId": "KEY", "SecretAccessKey": "s", "SessionToken": "t",
                  "Expiration": end.isoformat()}))
"""


class Source:
    """A program that gives credentials: the first ones at once, the others when it is let go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def configure(self, *, lasting: float, held_from: int = 1_000) -> None:
        """Have its credentials last so many seconds; from its answer of that number on it waits."""
        (self.folder / "program.py").write_text(PROGRAM)
        command = f"{sys.executable} {self.folder / 'program.py'} {self.folder} {lasting} {held_from}"
        (self.folder / "config").write_text(f"[default]\ncredential_process = {command}\n")

    def let_go(self) -> None:
        """Have it answer, from now on at once."""
        (self.folder / "go").touch()

    def prints(self, text: str) -> None:
        """Have it print something else from now on."""
        (self.folder / "program.py").write_text(f"print({text!r})")

    @property
    def times(self) -> int:
        """How often it has answered."""
        return len(list(self.folder.glob("made-*")))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """What gives the credentials of an AWS configuration of its own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    source = Source(tmp_path)
    yield source
    source.let_go()


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    """Blocking, and on an event loop."""
    return str(request.param)


def failures(transport: Transport, mode: str, timeout: float) -> list[type[BaseException]]:
    """What several calls at once end with."""

    async def run() -> list[type[BaseException]]:
        calls = [transport.asend(LIST_TABLES, time.monotonic() + timeout) for _ in range(CALLS)]
        found = await asyncio.gather(*calls, return_exceptions=True)
        await transport.aclose()
        return [type(one) for one in found if isinstance(one, BaseException)]

    def call(_number: int) -> type[BaseException]:
        with pytest.raises((DeadlineExceeded, ServiceError)) as caught:
            transport.send(LIST_TABLES, time.monotonic() + timeout)
        return caught.type

    if mode == "async":
        return asyncio.run(run())
    with ThreadPoolExecutor(CALLS) as threads:
        found = list(threads.map(call, range(CALLS)))
    transport.close()
    return found


def test_a_refresh_that_is_slow_ends_with_the_deadline(source: Source, mode: str) -> None:
    """Nobody waits for credentials past the deadline of the call, and the message says what was waited for."""
    source.configure(lasting=20, held_from=1)
    with serving(answering(answer())) as server, calling(mode, server.url, **FROM_AWS) as call:
        with pytest.raises(DeadlineExceeded, match="before AWS credentials were refreshed"):
            call(timeout=0.3)
        assert (source.times, server.connections) == (1, 0)


def test_calls_that_need_a_refresh_share_one(source: Source, mode: str) -> None:
    """Those that wait at the same time ask once, and each keeps its deadline."""
    source.configure(lasting=20, held_from=1)
    with serving(answering(answer())) as server:
        transport = open_transport(Options(endpoint=server.url, region="x"))
        assert failures(transport, mode, 0.3) == [DeadlineExceeded] * CALLS
        assert source.times == 1
    source.let_go()
    until(lambda: source.times >= 2)
    assert source.times == 2


def test_credentials_that_still_last_are_used_while_they_are_refreshed(source: Source, mode: str) -> None:
    """A slow refresh some minutes before the end costs no call any time."""
    source.configure(lasting=300, held_from=2)
    with serving(answering(answer())) as server, calling(mode, server.url, **FROM_AWS) as call:
        # The first call meets no credentials that were used before, and waits.
        call()
        assert [call(timeout=60) for _ in range(3)] == [{}] * 3
        assert source.times == 2


def test_expired_tokens_are_reloaded_once_for_all(source: Source, mode: str) -> None:
    """Where that gives nothing new, all calls get the service's error in time, and so do the next ones at once."""
    source.configure(lasting=36_000)
    with serving(answering(EXPIRED)) as server:
        transport = open_transport(Options(endpoint=server.url, region="x"))
        assert failures(transport, mode, 60.0) == [ServiceError] * CALLS
        transport = open_transport(Options(endpoint=server.url, region="x"))
        before = source.times
        with pytest.raises(ServiceError):
            transport.send(LIST_TABLES, None)
        with pytest.raises(ServiceError):
            transport.send(LIST_TABLES, None)
        transport.close()
    assert source.times == before + 1


@pytest.mark.parametrize("together", [by_threads, by_tasks])
def test_calls_whose_token_expired_all_get_the_new_one(source: Source, together: Together) -> None:
    """Those that are refused while another one reads the configuration wait for it too."""
    arrived = threading.Barrier(4)

    def handle(sock: socket.socket) -> None:
        while request := read_request(sock):
            new = b"Credential=NEW/" in request
            if not new:
                arrived.wait(60)
            sock.sendall(answer() if new else EXPIRED)

    file = source.folder / "credentials"
    file.write_text(KEYS.format("OLD"))
    with serving(handle) as server:
        transport = open_transport(Options(endpoint=server.url, region="x"))
        file.write_text(KEYS.format("NEW"))
        assert together(transport, 4) == [{}] * 4
        transport.close()


@pytest.mark.parametrize("text", ['{"Version": 1, "SecretAccessKey": "hunter2"', '["hunter2"]', '{"Version": 1}'])
@pytest.mark.parametrize("transport", ["fast", "boto3"])
def test_what_is_no_credentials_is_told_and_not_repeated(source: Source, mode: str, text: str, transport: str) -> None:
    """A program that prints something else ends the call; its output is not kept with the error."""
    source.configure(lasting=-1)
    with serving(answering(answer())) as server, calling(mode, server.url, transport=transport, **FROM_AWS) as call:
        source.prints(text)
        with pytest.raises(Unauthenticated, match="could not be had") as caught:
            call()
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__!r}"


def test_no_thread_for_a_refresh_means_that_nothing_was_sent(
    source: Source, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process with as many threads as it may have can try again later."""
    source.configure(lasting=20)
    with serving(answering(answer())) as server, calling(mode, server.url, **FROM_AWS) as call:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_thread)
            with pytest.raises(NotSent, match="could not be refreshed"):
                call()
        assert call() == {}


def no_thread(_thread: threading.Thread) -> None:
    """What starting a thread does where there are too many."""
    raise RuntimeError("can't start new thread")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_child_of_a_process_that_is_refreshing_refreshes_itself(source: Source) -> None:
    """The parent's thread does not exist in the child, and what it held does not stop it."""
    source.configure(lasting=20, held_from=1)
    with serving(answering(answer())) as server:
        transport = open_transport(Options(endpoint=server.url, region="x"))
        with pytest.raises(IsthmusError):
            transport.send(LIST_TABLES, time.monotonic() + 0.1)
        child = os.fork()
        if child == 0:
            os._exit(0 if transport.send(LIST_TABLES, time.monotonic() + 60) == {} else 1)
        source.let_go()
        assert os.waitpid(child, 0)[1] == 0
        transport.close()
