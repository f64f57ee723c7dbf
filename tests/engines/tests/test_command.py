"""``python -m isthmus_engines``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from isthmus_engines.__main__ import main

DUMP = "import json, os, sys; open(sys.argv[1], 'w').write(json.dumps(dict(os.environ)))"


def test_run_gives_the_command_addresses_and_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sees where each engine is; its exit code comes back."""
    monkeypatch.setenv("ISTHMUS_ENGINE_DYNAMODB_URL", "http://elsewhere:8000")
    seen = tmp_path / "seen.json"
    code = main(["run", "moto", "dynamodb", "--", sys.executable, "-c", f"{DUMP}; sys.exit(7)", str(seen)])
    variables = json.loads(seen.read_text())
    assert (code, variables["ISTHMUS_ENGINE_DYNAMODB_URL"]) == (7, "http://elsewhere:8000")
    assert variables["ISTHMUS_ENGINE_MOTO_URL"].startswith("http://127.0.0.1:")


def test_a_command_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2 and no traceback."""
    monkeypatch.setenv("ISTHMUS_ENGINE_MONGODB_URL", "mongodb://elsewhere/")
    assert main(["run", "mongodb", "--", "/no/such/command"]) == 2
    assert capsys.readouterr().err == "isthmus_engines: /no/such/command can't be run: No such file or directory\n"


@pytest.mark.parametrize("arguments", [["run", "mongodb"], ["fetch", "--", "ls"], ["run", "oracle", "--", "ls"], []])
def test_a_wrong_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With the usage, before anything starts."""
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert (raised.value.code, "usage: python -m isthmus_engines" in capsys.readouterr().err) == (2, True)
