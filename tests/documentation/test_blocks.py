"""Every code block of the README and of the documentation works as it is written."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.documentation.blocks import LANGUAGES, ROOT, Block, PageRun, blocks, pages
from tests.documentation.engines import PLACES, Stand, engines_of, placed, stands

if TYPE_CHECKING:
    from isthmus_engines.kinds import Kind, Running

PAGES = {str(page.relative_to(ROOT)): page for page in pages()}
WITH_CODE = {name: page for name, page in PAGES.items() if any(block.executed for block in blocks(page))}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageRun]:
    """A page about to be executed, in an empty directory whose modules can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    # A copy, so that what a page sets reaches the commands that it runs and no other test.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS_")}
    monkeypatch.setattr(os, "environ", environment)
    before = set(sys.modules)
    page_run = PageRun(tmp_path)
    # attrs and typing look up names in the module that a class says it is from.
    monkeypatch.setitem(sys.modules, "page", page_run.module)
    yield page_run
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def on_engines(name: str, running_engine: Callable[[Kind], Running]) -> Iterator[list[Stand]]:
    """A store on each engine that the page names; without an engine the page is skipped, and fails where CI=true."""
    found = list(stands(PAGES[name], running_engine))
    yield found
    for stand in found:
        stand.clear()


@pytest.mark.parametrize("name", WITH_CODE)
def test_each_block_of_a_page_does_what_the_page_says(name: str, on_engines: list[Stand], run: PageRun) -> None:
    """All executable blocks run in the order of the page."""
    executed = 0
    for block in blocks(WITH_CODE[name]):
        if block.executed:
            run.run(placed(block, on_engines))
            executed += 1
    assert executed > 0


@pytest.mark.parametrize("name", WITH_CODE)
def test_each_engine_that_a_page_uses_is_named_by_it(name: str) -> None:
    """And the other way round: a page asks for no server that its blocks don't use."""
    text = "".join(block.text for block in blocks(WITH_CODE[name]) if block.executed)
    assert engines_of(WITH_CODE[name]) == [kind for kind, place in PLACES.items() if place in text]


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    """A slip in the mark would leave a page without its server."""
    (tmp_path / "page.md").write_text("<!-- engines: dynamo -->\n")
    with pytest.raises(ValueError, match="no engine 'dynamo'"):
        engines_of(tmp_path / "page.md")


@pytest.mark.parametrize("name", PAGES)
def test_each_block_has_a_language_that_is_known(name: str) -> None:
    """A language that nothing executes would leave a block untested without a sign."""
    unknown = [str(block) for block in blocks(PAGES[name]) if block.language not in LANGUAGES]
    assert unknown == []


@pytest.mark.parametrize("name", PAGES)
def test_each_fence_of_a_page_is_found(name: str) -> None:
    """The parser sees as many blocks as there are pairs of fences, so none hides inside a list or a quotation."""
    fences = [line for line in PAGES[name].read_text("utf-8").splitlines() if line.lstrip(" >").startswith("```")]
    assert len(fences) == 2 * len(blocks(PAGES[name]))


@pytest.mark.parametrize("name", PAGES)
def test_each_relative_link_of_a_page_leads_to_a_file(name: str) -> None:
    """Links between pages work in a clone too, where no Sphinx checks them."""
    page = PAGES[name]
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).is_file()] == []


INCLUDES = [block for page in PAGES.values() for block in blocks(page) if block.language == "{literalinclude}"]


@pytest.mark.parametrize("block", INCLUDES, ids=str)
def test_each_part_of_a_file_that_a_page_shows_exists(block: Block) -> None:
    """The file, and the class, function or line that is asked for: a page goes with the code that it shows."""
    text = (block.page.parent / block.argument).read_text("utf-8")
    wanted = dict(re.findall(r"^:(pyobject|start-at): (.+)$", block.text, re.MULTILINE))
    assert len(wanted) == 1
    if "pyobject" in wanted:
        assert wanted["pyobject"] in _definitions(ast.parse(text))
    else:
        assert wanted["start-at"] in text


def _definitions(tree: ast.AST, prefix: str = "") -> set[str]:
    """Dotted names of the classes and functions in a module."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            name = f"{prefix}{node.name}"
            found |= {name, *_definitions(node, f"{name}.")}
    return found


def test_the_guide_walks_through_every_file_of_the_example() -> None:
    """Each module of the LMDB example and its tests are shown in parts."""
    example = ROOT / "docs" / "examples" / "isthmus-lmdb"
    files = {file for file in example.rglob("*.py") if file.name != "__init__.py"} | {example / "pyproject.toml"}
    assert len(files) == 7
    shown = {(block.page.parent / block.argument).resolve() for block in INCLUDES}
    assert files == {file for file in shown if file.is_relative_to(example)}


def test_the_tutorial_and_the_readme_have_code() -> None:
    """The pages that beginners read are among those that are executed."""
    wanted = {"README.md", *(name for name in PAGES if name.startswith("docs/tutorial/") and "index" not in name)}
    assert len(wanted) > 3
    assert wanted <= set(WITH_CODE)


def _block(language: str, text: str) -> Block:
    return Block(ROOT / "README.md", language, "", text, 1)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "print(1)\n#> 2\n"),
        ("python", "x = 1  # raises ValueError\n"),
        ("python", "int('a')\nx = 1  # raises ValueError\n"),
        ("python", "int('a')  # raises KeyError\n"),
        ("console", "$ isthmus nonsense\n"),
        ("console", "$ isthmus --help\nthis is never printed\n"),
        ("console", "$ make nonsense\n"),
        ("console", "$ curl example.org\n"),
    ],
)
def test_a_wrong_block_fails(language: str, text: str, run: PageRun) -> None:
    """The executor can fail: what a block claims is compared with what happens."""
    with pytest.raises(AssertionError):
        run.run(_block(language, text))


@pytest.mark.parametrize(
    ("language", "text"),
    [("python", "1 / 0\n"), ("json", "{'a': 1}\n"), ("toml", "[isthmus]\nulr = 'x'\n"), ("toml", "ulr\n")],
)
def test_an_error_in_a_block_is_not_swallowed(language: str, text: str, run: PageRun) -> None:
    """What a block raises reaches the test's report."""
    with pytest.raises(Exception, match=r"division|Expecting|ulr|Expected"):
        run.run(_block(language, text))
