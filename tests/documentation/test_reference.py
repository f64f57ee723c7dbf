"""The reference is complete: what the code offers, the documentation names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from sphinx.util.typing import stringify_annotation

import isthmus
import isthmus_migration
from docs._generate import GENERATORS
from docs._generate.api import INTERNAL, TEXTS, aliased, signature
from docs._generate.capabilities import REPORT, capability_table, declared, results_table
from docs._generate.commands import commands
from docs._generate.configuration import options
from docs._generate.errors import error_classes
from docs._generate.extension import MARKER, expanded
from docs._generate.hooks import hooks
from isthmus import Capability
from isthmus.cli.app import COMMANDS
from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.packages import FIRST_PARTY_COMMANDS
from isthmus.config.sources import variable
from isthmus.plugins import hook_names
from isthmus.values import Item
from isthmus_conformance import RULES
from isthmus_conformance.suites.probes import DECLARED_ONLY
from isthmus_dynamodb.failures import MEANINGS
from isthmus_migration import MigrationError, State
from isthmus_mongodb.failures import CODES
from tests.documentation.blocks import ROOT, pages

REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    """A page of the reference as it is built."""
    return expanded((REFERENCE / f"{name}.md").read_text("utf-8"))


def test_each_public_name_is_documented() -> None:
    """The API page has a directive for each name in ``isthmus.__all__``."""
    text = page("api")
    missing = [name for name in isthmus.__all__ if f":: isthmus.{name}\n" not in text]
    assert len(isthmus.__all__) > 20
    assert missing == []


def test_each_public_name_of_the_migration_is_documented() -> None:
    """Its page has a directive for each name, and each has a docstring to show."""
    text, names = page("api-migration"), isthmus_migration.__all__
    assert len(names) > 20
    assert [name for name in names if f":: isthmus_migration.{name}\n" not in text] == []
    assert [name for name in names if not (getattr(isthmus_migration, name).__doc__ or "").strip()] == []


def test_each_error_of_the_migration_is_documented() -> None:
    """The table has a row for each, and the page for troubles tells what to do about it."""
    text, troubles = page("errors"), (ROOT / "docs" / "how-to" / "troubleshoot-a-migration.md").read_text("utf-8")
    kinds = MigrationError.__subclasses__()
    known = [kind for kind in kinds if kind.__module__ == "isthmus_migration.errors"]
    assert len(known) > 5
    assert [kind for kind in known if f"| `{kind.__name__}` | `{kind.code}` |" not in text] == []
    assert [kind for kind in known if f"| `{kind.__name__}` | `{kind.code}` |" not in troubles] == []


def test_each_state_of_a_migration_is_documented() -> None:
    """People who see one find out what it means."""
    text = (ROOT / "docs" / "how-to" / "troubleshoot-a-migration.md").read_text("utf-8")
    assert [state for state in State if f"`{state.value}`" not in text] == []


def test_each_way_to_lose_data_names_its_test() -> None:
    """And the test is there, so the page can't promise what nobody tries."""
    text = (ROOT / "docs" / "explanation" / "migration.md").read_text("utf-8")
    named = re.findall(r"^\| S(\d+) \|.*\| `(test_\w+)` \|$", text, re.MULTILINE)
    source = (ROOT / "tests" / "migration" / "test_silent_losses.py").read_text("utf-8")
    assert [int(number) for number, _test in named] == list(range(1, 12))
    assert [test for _number, test in named if f"def {test}(" not in source] == []


def test_each_public_name_has_a_docstring() -> None:
    """What autodoc shows of a class or function is not empty."""
    things = {name: getattr(isthmus, name) for name in isthmus.__all__ if name not in TEXTS}
    assert [name for name, thing in things.items() if not (thing.__doc__ or "").strip()] == []


def test_each_hook_is_documented() -> None:
    """The generated reference finds every hook in the source, under a heading, with what its docstring says."""
    text = page("hooks")
    names = [name for _section, name in hooks()]
    assert sorted(hook_names()) == sorted(names)
    assert [name for name in names if f"### `{name}`\n" not in text] == []


def test_each_hook_stands_in_a_section() -> None:
    """No hook falls out of the sections of the specifications."""
    sections = {section for section, _name in hooks()}
    assert len(sections) > 3
    assert "" not in sections


def test_each_error_is_documented() -> None:
    """The table has a row for each class, with its code."""
    text = page("errors")
    errors = list(error_classes())
    assert len(errors) > 25
    assert [error.__name__ for error in errors if f"| `{error.__name__}` | `{error.code}` |" not in text] == []


def test_each_attribute_of_an_error_is_documented() -> None:
    """What errors carry has a row."""
    text = page("errors")
    error = isthmus.errors.IsthmusError("why")
    names = {*error.to_dict(), *vars(error)} - {"message"}
    assert len(names) > 6
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_each_code_of_an_engine_is_documented() -> None:
    """The tables have a row for each code, with its error."""
    text = page("errors")
    pairs: list[tuple[object, Any]] = [*MEANINGS.items(), *CODES.items()]
    assert len(pairs) > 60
    assert [code for code, meaning in pairs if f"| `{code}` | `{meaning.kind.__name__}` |" not in text] == []


def test_no_two_errors_share_a_code() -> None:
    """A program can tell errors apart by their codes."""
    codes = [error.code for error in error_classes()]
    assert len(set(codes)) == len(codes)


def test_each_command_is_documented() -> None:
    """Every built-in command has a heading with its name."""
    text = page("cli")
    assert len(COMMANDS) > 10
    names = {*COMMANDS, *FIRST_PARTY_COMMANDS}
    assert [name for name in names if f"## `isthmus {name}`\n" not in text] == []


def test_each_option_of_a_command_is_documented_with_help() -> None:
    """Options appear in the reference, and none lacks a help text."""
    text = page("cli")
    found = [
        (context.command_path, option)
        for context in commands()
        for option in context.command.params
        if isinstance(option, click.Option)
    ]
    assert len(found) > 20
    assert [path for path, option in found if option.opts[0] not in text or not option.help] == []


def test_each_exit_code_is_documented() -> None:
    """The table has a row for each code."""
    text = page("cli")
    assert [code for code in ExitCode if f"| `{int(code)}` |" not in text] == []


def test_each_configuration_option_is_documented() -> None:
    """Every option of the core, of retries and of each backend has a row with its variable."""
    text = page("configuration")
    pairs = [(section, name) for section, names in options().items() for name in names]
    assert {("", "url"), ("retry", "attempts"), ("sqlite", "synchronous"), ("mongodb", "maxPoolSize")} <= set(pairs)
    assert [pair for pair in pairs if f"| `{pair[1]}` | `{variable(*pair)}` |" not in text] == []


def test_each_rule_of_the_contract_is_documented() -> None:
    """Every rule has a row with its text and its status."""
    text = page("contract")
    assert len(RULES) > 100
    shown = {
        row.split("|")[1].strip(" *"): " ".join(row.split()) for row in text.splitlines() if row.startswith("| **")
    }
    assert [name for name, rule in RULES.items() if f"| {rule.status} |" not in shown[name]] == []
    assert [name for name, rule in RULES.items() if f"*Why:* {rule.why}" not in shown[name] and rule.why] == []


def test_each_capability_and_backend_is_documented() -> None:
    """The table has a row for each capability and a column for each backend."""
    text = page("capabilities")
    servers = ["dynamodb://REGION/", "mongodb://, replica set", "mongodb://, standalone"]
    assert list(declared()) == ["memory://", "sqlite:///FILE", "sqlite://", *servers]
    assert [name.value for name in Capability if f"| `{name.value}` |" not in text] == []


def test_each_generator_is_used_by_a_page_and_each_marker_is_known() -> None:
    """Nothing is generated for nobody, and no page asks for what does not exist."""
    used = {name for one in pages() for name in MARKER.findall(one.read_text("utf-8"))}
    assert set(GENERATORS) == used


def test_generated_parts_are_not_written_by_hand_as_well() -> None:
    """A page with a marker holds no table of its own below it that could go stale."""
    for name in ("hooks", "errors", "contract", "capabilities"):
        source = (REFERENCE / f"{name}.md").read_text("utf-8")
        below = source[MARKER.search(source).end() :]  # type: ignore[union-attr]  # each has a marker
        assert "| --- |" not in below


def test_results_of_the_kit_are_shown_where_there_are_some(tmp_path: Path) -> None:
    """A report becomes a table with its backend; without one the page says how to get it."""
    line = {
        "rule": "KEY-1", "backend": "memory", "version": "1", "mode": "sync", "status": "passed", "tests": 2,
        "examples": 30, "reasons": [],
    }  # fmt: skip
    report = tmp_path / "conformance.json"
    assert "make docs" in results_table(report)
    report.write_text(json.dumps({"format": 1, "lines": [line], "capabilities": {}}), "utf-8")
    assert "passed (2 tests, 30 examples)" in results_table(report)


def test_backends_that_the_kit_did_not_reach_are_named(tmp_path: Path) -> None:
    """A build on a machine without the engines says so."""
    report = tmp_path / "conformance.json"
    probed = {name: {"ttl": {"full": "passed"}} for name in ("memory", "sqlite", "mongodb")}
    report.write_text(json.dumps({"format": 1, "lines": [], "capabilities": {}, "probes": probed}), "utf-8")
    assert results_table(report).startswith("Nothing was tried on `dynamodb`: no engine was there.\n\n")
    probed["dynamodb"] = probed["mongodb"]
    report.write_text(json.dumps({"format": 1, "lines": [], "capabilities": {}, "probes": probed}), "utf-8")
    assert results_table(report).startswith("| rule |")


def test_the_verdict_of_the_kit_stands_beside_each_level(tmp_path: Path) -> None:
    """For the level that was tried: another level of the same backend is not proven by it."""
    lost = str(declared()["sqlite://"][0][Capability.DURABLE])
    found = {"sqlite": {"durable": {"full": "passed", lost: "failed"}, "ttl": {"full": "skipped"}}}
    report = tmp_path / "conformance.json"
    report.write_text(json.dumps({"format": 1, "lines": [], "capabilities": {}, "probes": found}), "utf-8")
    rows = {row.split("|")[1].strip(" `"): row for row in capability_table(report).splitlines()}
    assert [cell.split("(probed: ")[1].strip(" )") for cell in rows["durable"].split("|")[2:-1]] == [
        "no", "yes", "**failed**", "no", "no", "no",
    ]  # fmt: skip
    assert rows["ttl"].count("full (probed: no)") == 6


def test_the_documentation_is_built_with_results_of_the_kit() -> None:
    """`make docs` runs the kit where no report is there, and only a run of all tests replaces one."""
    lines = (ROOT / "Makefile").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("docs:") and "build/conformance.json" in line.split("##")[0]]
    assert "REPORT = $(if $(ARGS),,--isthmus-report build/conformance.json)" in lines
    assert REPORT == ROOT / "build" / "conformance.json"


def test_what_is_declared_only_is_listed() -> None:
    """The page names the capabilities that are not refused where they are unsupported, and no others."""
    text = (REFERENCE / "capabilities.md").read_text("utf-8")
    assert sorted(name.value for name in DECLARED_ONLY) == sorted(re.findall(r"^- `(\w+)`:", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["retry", "fallback", "sqlite", "dynamodb", "mongodb"])
def test_each_section_of_the_configuration_has_a_heading(name: str) -> None:
    """Readers find a section by its name."""
    assert f"## `{name}`\n" in page("configuration")


def test_no_page_is_left_out_of_the_table_of_contents() -> None:
    """Sphinx warns of an orphan too; this says which, and needs no build."""
    listed = {ROOT / "docs" / "index.md"}
    for one in pages():
        if "{toctree}" in one.read_text("utf-8"):
            listed |= {(one.parent / f"{entry}.md").resolve() for entry in _entries(one.read_text("utf-8"))}
    docs = {one for one in pages() if one.is_relative_to(ROOT / "docs")}
    assert len(docs) > 15
    assert sorted(docs) == sorted(listed)


def _entries(text: str) -> list[str]:
    inside = text.partition("```{toctree}")[2].partition("```")[0]
    return [line for line in inside.splitlines() if line and not line.startswith(":")]


def test_each_variable_that_the_pages_name_exists() -> None:
    """A variable in the text is that of an option, or stands in the code."""
    known = {variable(section, name) for section, names in options().items() for name in names}
    sources = [path.read_text("utf-8") for folder in ("core/src", "plugins") for path in (ROOT / folder).rglob("*.py")]
    named = {name for one in pages() for name in re.findall(r"\bISTHMUS_[A-Z_]+[A-Z]", one.read_text("utf-8"))}
    assert len(named) > 3
    assert [name for name in sorted(named - known) if not any(name in text for text in sources)] == []


def test_what_refines_a_selection_is_shown_and_its_inner_parts_are_not() -> None:
    """Inherited methods are documented; each name that is left out exists, so none is hidden by a stale list."""
    text = page("api")
    directive = text.partition(":: isthmus.Selection\n")[2].partition(".. auto")[0]
    assert ":inherited-members:" in directive
    assert [name for name in INTERNAL if not hasattr(isthmus.Selection, name) or name not in directive] == []


def test_a_signature_shows_defaults_and_names_of_aliases() -> None:
    """Readers see what a field's default is, not how attrs writes it."""
    written = "(levels: dict, attempts: int = attr_dict['attempts'].default, more=NOTHING)"
    assert signature(isthmus.RetryPolicy, written) == "(levels: dict, attempts: int = 5, more=...)"
    assert aliased(stringify_annotation(Item, "smart")) == "Item"
