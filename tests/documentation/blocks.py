"""The code blocks of a page, and how they are executed.

A block is executed by its language, in the order of the page, in an empty directory:

``python``
    runs in one namespace for the whole page. ``# raises Name`` at the end of its last statement means that it raises
    that error. Lines that begin with ``#> `` are what the block prints.
``toml``
    is parsed, and read as configuration where it has a table ``isthmus``.
``python`` or ``toml`` whose first line is ``# file: name``
    is also written to that file, and Python is imported from there.
``console``
    each line after ``$ `` is a command. Those of ``isthmus`` and ``pytest`` are run and must exit with 0, or with the
    code in ``# exits N`` at their end. The lines below are part of the output; ``...`` stands for anything. Other
    commands are only checked.
``json``
    is parsed, line by line if it is not one document.
``text``
    shows something and runs nothing.
``{literalinclude}``
    shows a part of a file that has tests of its own; the part has to exist.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

from attrs import define, field, frozen
from markdown_it import MarkdownIt

from isthmus.config import load_settings

ROOT = Path(__file__).parents[2]
SHOWN_ONLY = ("text", "{eval-rst}", "{toctree}", "{literalinclude}")
LANGUAGES = ("python", "console", "toml", "json", *SHOWN_ONLY)
_FILE = re.compile(r"# file: (\S+)\n")
_RAISES = re.compile(r"  # raises (\w+)$", re.MULTILINE)
_EXITS = re.compile(r"  # exits (\d+)$")


@frozen
class Block:
    """One fenced block: its language, what stands behind that, its text, and the line where the text begins."""

    page: Path
    language: str
    argument: str
    text: str
    line: int

    @property
    def executed(self) -> bool:
        """Whether anything is done with it."""
        return self.language not in SHOWN_ONLY

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page that people read, examples aside: these are packages with tests of their own."""
    docs = [page for page in (ROOT / "docs").rglob("*.md") if "examples" not in page.parts]
    return sorted([*docs, *ROOT.glob("*.md"), *ROOT.glob("core/*.md"), *ROOT.glob("plugins/*/*.md")])


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    tokens = MarkdownIt().parse(page.read_text("utf-8"))
    return [
        Block(page, *_info(token.info), token.content, (token.map or [0])[0] + 2)
        for token in tokens
        if token.type == "fence"
    ]


def _info(text: str) -> tuple[str, str]:
    language, _space, argument = text.strip().partition(" ")
    return language, argument


@define
class PageRun:
    """One page under execution."""

    folder: Path
    module: ModuleType = field(factory=lambda: ModuleType("page"))

    def run(self, block: Block) -> None:
        """Execute one block.

        :raises AssertionError: it does not do what the page says
        """
        runner = {"python": self._python, "console": self._console, "toml": self._toml, "json": self._json}
        runner[block.language](block)

    def _python(self, block: Block) -> None:
        if self._write(block):
            importlib.import_module(_FILE.match(block.text)[1].removesuffix(".py"))  # type: ignore[index]  # it matched
            return
        # Empty lines in front give tracebacks the line numbers of the page.
        tree = ast.parse("\n" * (block.line - 1) + block.text, str(block.page))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            self._execute(tree, block)
        shown = [line[3:] for line in block.text.splitlines() if line.startswith("#> ")]
        assert not shown or shown == printed.getvalue().splitlines(), f"{block} prints:\n{printed.getvalue()}"

    def _execute(self, tree: ast.Module, block: Block) -> None:
        expected = _RAISES.search(block.text)
        raised = self._raised(tree, block)
        if expected is None:
            if raised is not None:
                raise raised
            return
        assert raised is not None, f"{block} raises nothing, the page says {expected[1]}"
        assert expected[1] == type(raised).__name__, f"{block} raises {raised!r}"
        last = tree.body[-1]
        line = _line_in_block(raised)
        assert last.lineno <= line <= (last.end_lineno or 0), (
            f"{block} raises on line {line}, before its last statement"
        )

    def _raised(self, tree: ast.Module, block: Block) -> Exception | None:
        try:
            exec(compile(tree, str(block.page), "exec"), self.module.__dict__)  # the page's own code
        except Exception as error:
            return error
        return None

    def _write(self, block: Block) -> str | None:
        """Write a block that names a file, and return the name."""
        named = _FILE.match(block.text)
        if named is None:
            return None
        (self.folder / named[1]).write_text(block.text[named.end() :], "utf-8")
        return named[1]

    def _toml(self, block: Block) -> None:
        name = self._write(block) or "block.toml"
        (self.folder / name).write_text(block.text, "utf-8")
        if "isthmus" in tomllib.loads(block.text):
            load_settings(config_file=self.folder / name, url_use="optional")

    def _json(self, block: Block) -> None:
        try:
            json.loads(block.text)
        except json.JSONDecodeError:
            for line in block.text.splitlines():
                json.loads(line)

    def _console(self, block: Block) -> None:
        output = ""
        for line in block.text.splitlines():
            if line.startswith("$ "):
                output = self._command(line[2:], block)
            elif line.strip() not in ("", "..."):
                assert _plain(line) in _plain(output), f"{block}: {line!r} is not in the output:\n{output}"

    def _command(self, line: str, block: Block) -> str:
        exits = _EXITS.search(line)
        words = shlex.split(_EXITS.sub("", line))
        program, *arguments = words
        if program not in ("isthmus", "pytest"):
            check_unrun(words, block)
            return ""
        module = "isthmus.cli.main" if program == "isthmus" else "pytest"
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        wanted = int(exits[1]) if exits else 0
        assert wanted == done.returncode, f"{block}: {line!r} exits with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def check_unrun(words: list[str], block: Block) -> None:
    """Commands that a test can't run: make's targets must exist, and nothing else but installing is allowed."""
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert words[1] in targets, f"{block}: make has no target {words[1]!r}"
        return
    assert {"pip", "venv"} & {word.split("/")[-1] for word in words}, f"{block}: nothing executes {words[0]!r}"


def _line_in_block(error: Exception) -> int:
    """Where the block's own statement stands that led to an error: the frame below the executor's."""
    frame = error.__traceback__.tb_next if error.__traceback__ else None
    return frame.tb_lineno if frame else 0


def _plain(text: str) -> str:
    return " ".join(text.split())
