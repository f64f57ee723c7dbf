"""Commands that only read must not leave an empty database where a path was mistyped."""

from pathlib import Path

import pytest

from isthmus.cli import app


@pytest.mark.parametrize(
    "words",
    [
        ("get", "cities", "FR"),
        ("query", "cities", "country=FR"),
        ("scan", "cities"),
        ("tables", "list"),
        ("doctor",),
        ("explain",),
    ],
)
def test_reading_creates_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    """The exit code is that of a configuration problem, and the message names the path."""
    path = tmp_path / "typo.db"
    command = [*words[:2], f"sqlite:///{path}"] if words[0] == "tables" else [words[0], f"sqlite:///{path}", *words[1:]]
    assert app.run(command) == 3
    assert "no database file" in capsys.readouterr().err
    assert not path.exists()
