"""What imports what: the core no driver, a plugin only public names of the core."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = {
    folder.name: folder.name.replace("-", "_") for folder in sorted((ROOT / "plugins").iterdir()) if folder.is_dir()
}
# What a migration has no use for until its plan names a place, an engine or a format that needs it.
ASKED_FOR = ["boto3", "botocore", "pymongo", "bson", "lmdb", "distributed", "dask", "pyarrow"]
OPTIONAL = [
    *ASKED_FOR,
    "orjson",
    "zstandard",
    "sqlite3",
    "hypothesis",
    "pytest",
    "click",
    "rich",
    "typed_settings",
    "isthmus_migration",
]

PRINT_LOADED = """
import sys
import isthmus
print(",".join(name for name in sys.argv[1].split(",") if name in sys.modules))
"""

PRINT_LOADED_BY_ALL_MODULES = """
import pkgutil, sys
from importlib import import_module
import isthmus_migration
found = [module.name for module in pkgutil.walk_packages(isthmus_migration.__path__, "isthmus_migration.")]
for name in found:
    if not name.endswith("__main__"):
        import_module(name)
print(len(found), ",".join(name for name in sys.argv[1].split(",") if name in sys.modules))
"""


def imports_of(source: str) -> list[str]:
    """Return the full dotted name of everything that `source` imports."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
    return names


def forbidden(name: str, own: str) -> bool:
    """Whether the plugin package `own` must not import `name`: private in the core, or another plugin's."""
    top, *rest = name.split(".")
    if top == "isthmus":
        return any(part.startswith("_") for part in rest)
    return top.startswith("isthmus_") and top != own


def undocumented(name: str) -> bool:
    """Whether `name`, imported from the core, is a name that its module does not offer in `__all__`."""
    module_name, _, attribute = name.rpartition(".")
    if module_name.split(".")[0] != "isthmus":
        return False
    module = importlib.import_module(module_name)
    offered = getattr(module, "__all__", None)
    return offered is not None and attribute not in offered and not is_submodule(name, module)


def is_submodule(name: str, package: ModuleType) -> bool:
    """Whether `name` is a module inside `package`."""
    return hasattr(package, "__path__") and importlib.util.find_spec(name) is not None


def plugin_imports(folder: str) -> list[str]:
    """Return every import of the plugin in `folder`."""
    sources = sorted((ROOT / "plugins" / folder / "src").rglob("*.py"))
    return [name for source in sources for name in imports_of(source.read_text(encoding="utf-8"))]


def printed(script: str, names: list[str]) -> str:
    """Run `script` on `names` in a process of its own and return what it printed."""
    command = [sys.executable, "-c", script, ",".join(names)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.strip()


def test_imports_are_read_in_every_form() -> None:
    """The reader of imports sees plain, from, aliased and nested imports."""
    source = "import isthmus\nfrom isthmus import F as f\ndef g():\n    from isthmus.values import normal\n"
    assert imports_of(source) == ["isthmus", "isthmus.F", "isthmus.values.normal"]


@pytest.mark.parametrize("name", ["isthmus._x", "isthmus.values._normal.digits", "isthmus_mongodb.plan"])
def test_private_names_and_other_plugins_are_forbidden(name: str) -> None:
    """A private name of the core and any name of another plugin are found out."""
    assert forbidden(name, own="isthmus_sqlite")


@pytest.mark.parametrize("folder", PLUGINS)
def test_plugin_imports_only_public_names(folder: str) -> None:
    """A plugin imports no private name of the core and nothing of another plugin."""
    own = f"isthmus_{PLUGINS[folder]}"
    names = plugin_imports(folder)
    assert any(name.split(".")[0] == "isthmus" for name in names)
    assert [name for name in names if forbidden(name, own)] == []


@pytest.mark.parametrize("folder", PLUGINS)
def test_plugin_imports_only_offered_names(folder: str) -> None:
    """What a plugin imports from a module of the core is in that module's `__all__`, where it has one."""
    names = plugin_imports(folder)
    assert any(name.split(".")[0] == "isthmus" for name in names)
    assert [name for name in names if undocumented(name)] == []


def test_core_does_not_import_plugins() -> None:
    """The core's sources name no plugin package in an import."""
    sources = sorted((ROOT / "core" / "src").rglob("*.py"))
    names = [name for source in sources for name in imports_of(source.read_text(encoding="utf-8"))]
    assert "pluggy" in {name.split(".")[0] for name in names}
    assert [name for name in names if name.startswith("isthmus_")] == []


def test_import_of_core_loads_no_optional_package() -> None:
    """`import isthmus` loads no driver, test tool or command-line package."""
    assert printed(PRINT_LOADED, OPTIONAL) == ""


def test_import_of_the_migration_loads_nothing_that_is_asked_for() -> None:
    """No module of the migration loads a driver, Dask, Parquet, another plugin or a test tool when it is imported."""
    others = [f"isthmus_{name}" for name in PLUGINS.values() if name != "migration"]
    assert "isthmus_mongodb" in others
    modules, _, loaded = printed(PRINT_LOADED_BY_ALL_MODULES, [*ASKED_FOR, *others, "hypothesis", "pytest"]).partition(
        " "
    )
    assert (int(modules) > 4, loaded) == (True, "")
