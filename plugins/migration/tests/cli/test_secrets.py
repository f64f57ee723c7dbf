from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import isthmus
from isthmus.cli.exit_codes import ExitCode
from isthmus_migration.migration import Migration
from plugins.migration.tests.cli.helpers import Ends, Run, ended, read_so_far, started, until

SECRET = "marzipan-and-lemon"
COUNT = 400


@pytest.fixture
def source(dynamodb_url: str) -> Iterator[str]:
    """A DynamoDB with an access key and a secret in its URL, and a table of this test's own."""
    bare = urlsplit(dynamodb_url)
    query = [
        part for part in bare.query.split("&") if part.partition("=")[0] not in ("access_key_id", "secret_access_key")
    ]
    key = f"cli{secrets.token_hex(4)}"
    url = bare._replace(query="&".join([*query, f"access_key_id={key}", f"secret_access_key={SECRET}"])).geturl()
    with isthmus.connect(url) as database:
        things = database.tables.create(isthmus.Table("things", "id"))
        things.put_many({"id": f"{number:05}", "text": "x" * 50} for number in range(COUNT))
        yield url
        database.tables.drop("things")


@pytest.fixture
def target(mongodb_url: str) -> Iterator[str]:
    """A MongoDB database of this test's own."""
    url = urlsplit(mongodb_url)._replace(path=f"/cli_{secrets.token_hex(4)}").geturl()
    yield url
    with isthmus.connect(url) as database:
        for table in database.tables.list():
            database.tables.drop(table)


def _files(folder: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def _descendants(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines())}
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


def _command_lines(pids: list[int]) -> list[bytes]:
    return [path.read_bytes() for pid in pids if (path := Path(f"/proc/{pid}/cmdline")).exists()]


def _are_workers(lines: list[bytes]) -> bool:
    return sum(b"spawn_main" in line for line in lines) == 2 and all(b"multiprocessing" in line for line in lines)


def test_a_secret_is_never_written_down(source: str, target: str, tmp_path: Path, command: Run) -> None:
    """Planned, run by processes, reported, verified: no file of the work directory, output or worker has the secret."""
    workdir = str(tmp_path / "work")
    shown = [command("migrate", "plan", source, target, "--workdir", workdir, "--table", "things", "--units", "40")]
    run = ("migrate", "run", workdir, "--source", source, "--target", target, "--workers", "2")
    with started(*run, "--items", "20") as process:
        # Right after a fork they look like their parent.
        until(lambda: _are_workers(_command_lines(_descendants(process.pid))), what="its workers have started")
        until(lambda: read_so_far(Migration.open(workdir).status()) > 0, what="something is copied")
        lines = _command_lines(_descendants(process.pid))
        shown.append(command("migrate", "status", workdir, "--json"))
        assert command("migrate", "rate", workdir, "--items", "1e6").code == ExitCode.OK
        shown.append(ended(process))
    shown.append(
        command("migrate", "verify", workdir, "--source", source, "--target", target, "--engine", "inline", "--json")
    )
    assert [one.code for one in shown] == [ExitCode.OK] * 4
    assert len([line for line in lines if line]) >= 2
    assert not [line for line in lines if SECRET.encode() in line]
    assert not [one for one in shown if SECRET in one.out + one.err]
    files = _files(workdir)
    assert {"plan.json", "journal.db", "events.jsonl", "control.json", "report.html"} <= {
        Path(name).name for name in files
    }
    assert not [name for name, data in files.items() if SECRET.encode() in data]


def test_a_secret_has_to_be_given_again(source: str, ends: Ends, command: Run) -> None:
    """A later run has only a reference; it says what to do, and takes the same place and no other."""
    command("migrate", "plan", source, ends.target, "--workdir", ends.workdir, "--table", "things")
    refused = command("migrate", "run", ends.workdir, "--engine", "inline", "--json")
    assert (refused.code, refused.error["code"]) == (ExitCode.CONFIGURATION, "configuration_error")
    assert "give it again" in refused.error["message"]
    other = source.replace("eu-west-1", "us-east-1") if "eu-west-1" in source else source + "&timeout=7"
    wrong = command("migrate", "run", ends.workdir, "--engine", "inline", "--source", other)
    assert (wrong.code, SECRET in wrong.err) == (ExitCode.CONFIGURATION, False)
    assert command("migrate", "run", ends.workdir, "--engine", "inline", "--source", source).code == ExitCode.OK


def test_a_secret_in_the_environment(source: str, ends: Ends, command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """``env:NAME`` needs nothing again, in workers neither."""
    monkeypatch.setenv("ORDERS_SOURCE", source)
    command("migrate", "plan", "env:ORDERS_SOURCE", ends.target, "--workdir", ends.workdir, "--table", "things")
    assert command("migrate", "run", ends.workdir, "--workers", "1").code == ExitCode.OK
    assert not [name for name, data in _files(ends.workdir).items() if SECRET.encode() in data]
    assert ends.things() == COUNT
