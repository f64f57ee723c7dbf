"""Python functions as transforms."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.errors import ConfigurationError
from isthmus.values import Item
from isthmus_migration.errors import PlanChanged
from isthmus_migration.transforms import CompiledTransform, Transform, compile_transform
from plugins.migration.tests.transforms.helpers import THINGS, compiled, refused, transformed

_NUMBERS = itertools.count()
Module = Callable[[str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    """Writes a module that can be imported, and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> str:
        name = f"transforming_{next(_NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        return name

    return write


def _function(module: Module, body: str) -> str:
    name = module(f"def change(item):\n{body}")
    return f"{name}:change"


def test_a_function_changes_items(module: Module) -> None:
    """It comes after everything that is declared, and floats become what they print as."""
    path = _function(module, "    item['half'] = item['n'] / 4\n    return item\n")
    assert str(transformed({"m": "2"}, function=path, rename={"m": "n"}, types={"n": "number"})["half"]) == "0.5"


def test_a_function_gets_a_copy(module: Module) -> None:
    """Whatever it does to the item, and to the lists and maps inside it."""
    path = _function(module, "    item['a'].append(1)\n    return {'id': item['id'], 'n': len(item['a'])}\n")
    assert transformed({"a": []}, function=path) == {"n": 1}


def test_a_function_leaves_items_out(module: Module) -> None:
    """By returning None."""
    assert compiled(function=_function(module, "    return None\n"))({"id": "1"}) is None


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ("    raise ValueError(item['secret'])\n", "function_failed", "raised ValueError"),
        ("    raise SystemExit(0)\n", "function_failed", "raised SystemExit"),
        ("    return [item]\n", "wrong_shape", "returned a list"),
        ("    return 0\n", "wrong_shape", "returned a int"),
        ("    return {**item, 'a': object()}\n", "invalid_value", "a is a object"),
        ("    import datetime\n    return {**item, 'a': datetime.datetime.now()}\n", "invalid_value", "store UTC text"),
        ("    return {**item, 'a': float('nan')}\n", "invalid_value", "not a finite number"),
        ("    return {**item, 'a': set()}\n", "invalid_value", "empty set"),
        ("    return {**item, '__rev': 1}\n", "invalid_value", "reserved"),
        ("    del item['id']\n    return item\n", "invalid_key", "is missing"),
        ("    return {**item, 'id': 5}\n", "invalid_key", "is no string"),
        (
            "    import isthmus_migration.transforms as t\n    raise t.TransformError('old', ('a',), 'is from 2019')\n",
            "old", "a: is from 2019",
        ),
        (
            "    import isthmus_migration.transforms as t\n    raise t.TransformError(5, (), 'is from 2019')\n",
            "function_failed", "code is no text",
        ),
        (
            "    class Lazy(dict):\n        def items(self):\n            raise KeyError\n    return Lazy(item)\n",
            "function_failed", "raised KeyError when it was read",
        ),
    ],
)  # fmt: skip
def test_what_a_function_does_wrong_is_told(module: Module, body: str, code: str, told: str) -> None:
    """With what is wrong with its result, and never with a value."""
    error = refused({"secret": "hush"}, function=_function(module, body))
    assert error.code == code
    assert told in str(error)
    assert "hush" not in str(error)


@pytest.mark.parametrize(
    ("source", "name", "told"),
    [
        ("change = 1", "change", "has no function change"),
        ("", "change", "has no function change"),
        ("async def change(item): return item", "change", "async or a generator"),
        ("def change(item): yield item", "change", "async or a generator"),
        ("import nothing_of_that_name", "change", "nothing_of_that_name"),
        ("raise RuntimeError('secret')", "change", "RuntimeError$"),
        ("def (", "change", "SyntaxError"),
        ("import sys\nsys.exit(0)\n", "change", "SystemExit"),
    ],
)
def test_a_function_that_cant_be_called_is_refused(module: Module, source: str, name: str, told: str) -> None:
    """Before any item is read."""
    with pytest.raises(ConfigurationError, match=told):
        compiled(function=f"{module(source)}:{name}")


def test_a_module_that_is_not_there_is_refused() -> None:
    """Also when a plan is made, which imports nothing but the packages around it."""
    with pytest.raises(ConfigurationError, match="can't be found"):
        Transform(function="nothing_of_that_name:change").sealed()
    with pytest.raises(ConfigurationError, match="can't be imported"):
        Transform(function="nothing_of_that_name.inner:change").sealed()


def test_a_method_of_a_class_can_be_named(module: Module) -> None:
    """With dots after the colon."""
    name = module("class Rules:\n    @staticmethod\n    def change(item):\n        return {**item, 'a': 1}\n")
    assert transformed({}, function=f"{name}:Rules.change") == {"a": 1}


def test_other_source_than_the_plan_s_is_refused(module: Module, tmp_path: Path) -> None:
    """The plan holds the hash of the module's file."""
    name = module("def change(item): return item\n")
    planned = Transform(function=f"{name}:change").sealed()
    assert isinstance(compile_transform(planned, THINGS), CompiledTransform)
    with (tmp_path / f"{name}.py").open("a", encoding="utf-8") as file:
        file.write("# more\n")
    with pytest.raises(PlanChanged, match=f"{name}:change has changed"):
        compile_transform(planned, THINGS)
    assert planned.sealed() != planned


def test_another_process_finds_the_function(module: Module, tmp_path: Path) -> None:
    """From the plan's data alone."""
    path = _function(module, "    return {**item, 'a': 1}\n")
    data = Transform(function=path).sealed().to_dict()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from isthmus.schema import Table\n"
        "from isthmus_migration.transforms import Transform, compile_transform\n"
        f"print(compile_transform(Transform.from_dict({data!r}), Table('things', 'id'))({{'id': '1'}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'id': '1', 'a': 1}"


def test_a_function_may_change_keys(module: Module) -> None:
    """So keys may collide, and the plan has to know."""
    item: Item = {"id": "1"}
    transform = compiled(function=_function(module, "    return item\n"))
    assert transform(item) == item
    assert transform.changes_keys
    assert not transform.identity


def test_a_module_that_changed_after_its_import_is_refused(module: Module, tmp_path: Path) -> None:
    """The hash is the new source's and the imported function the old one, so a process must not use both."""
    path = _function(module, "    return {**item, 'n': 1}\n")
    before = Transform(function=path).sealed()
    assert compile_transform(before, THINGS)({"id": "1"}) == {"id": "1", "n": 1}
    (tmp_path / f"{path.partition(':')[0]}.py").write_text("def change(item):\n    return {**item, 'n': 2}\n")
    after = Transform(function=path).sealed()
    assert after != before
    with pytest.raises(ConfigurationError, match="new process"):
        compile_transform(after, THINGS)
