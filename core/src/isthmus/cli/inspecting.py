"""``isthmus plugins``, ``explain`` and ``doctor``: what is installed, composed and working."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click
from attrs import asdict

from isthmus import __version__
from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.operands import opened, operands
from isthmus.cli.output import json_option, print_grid, warn
from isthmus.config import load_settings
from isthmus.database import Database
from isthmus.errors import IsthmusError
from isthmus.plugins import PluginInfo, list_plugins

PACKAGES = ("attrs", "cattrs", "loguru", "pluggy", "click", "rich", "typed-settings")


@click.command()
@json_option
def plugins(as_json: bool) -> None:
    """List the installed plugins: backends by URL scheme, others by name."""
    found = _found_plugins(as_json)
    if as_json:
        print(json.dumps({"plugins": [asdict(plugin) for plugin in found]}, ensure_ascii=False))
    else:
        _print_plugins(found)


@click.command()
@operands()
@json_option
def explain(url: str | None, as_json: bool) -> None:
    """Print the composed stack of layers, outer to inner."""
    with opened(url) as database:
        explanation = database.explain()
    print(json.dumps(explanation.to_dict(), ensure_ascii=False) if as_json else explanation)


@click.command()
@operands()
@json_option
def doctor(url: str | None, as_json: bool) -> int:
    """Check that the database answers; print versions, plugins and capabilities.

    The exit code is 4 if a check fails.
    """
    with opened(url) as database:
        report = examine(database, as_json)
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        _print_report(report)
    return ExitCode.OK if report["healthy"] else ExitCode.BACKEND


def examine(database: Database, as_json: bool = False) -> dict[str, Any]:
    """What ``doctor`` reports, as JSON-ready data; ``as_json`` is the form of warnings."""
    health = database.health()
    return {
        "healthy": health.healthy,
        "url": database.url,
        "backend": database.backend_name,
        "checks": [asdict(check) for check in health.checks],
        "versions": {"isthmus": __version__, "python": platform.python_version(), **_installed()},
        "plugins": [asdict(plugin) for plugin in _found_plugins(as_json)],
        "capabilities": {name.value: str(level) for name, level in sorted(database.capabilities.items())},
        "limits": asdict(database.limits),
    }


def _found_plugins(as_json: bool) -> list[PluginInfo]:
    """The installed plugins, with what the configuration makes of them."""
    try:
        settings = load_settings(url_use="ignored")
    except IsthmusError as error:
        warn(f"which plugins are active is unknown: {error.message}", as_json=as_json)
        return list_plugins()
    return list_plugins(settings.plugins, settings.blocked)


def _installed() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _print_plugins(found: list[PluginInfo]) -> None:
    rows = [_plugin_row(asdict(plugin)) for plugin in found]
    print_grid("", ["name", "kind", "distribution", "version", "status", "reason"], rows)


def _plugin_row(plugin: dict[str, str]) -> list[str]:
    kind = plugin["group"].removeprefix("isthmus.").removesuffix("s")
    return [plugin["name"], kind, plugin["distribution"], plugin["version"], plugin["status"], plugin["reason"]]


def _print_report(report: dict[str, Any]) -> None:
    checks = [
        (check["name"], "ok" if check["healthy"] else "FAILED", f"{check['seconds'] * 1000:.1f} ms", check["detail"])
        for check in report["checks"]
    ]
    print_grid(f"{report['backend']} at {report['url']}", ["check", "state", "time", "detail"], checks)
    print_grid("versions", ["package", "version"], report["versions"].items())
    headings = ["name", "kind", "distribution", "version", "status", "reason"]
    print_grid("plugins", headings, map(_plugin_row, report["plugins"]))
    print_grid("capabilities", ["capability", "level"], report["capabilities"].items())
    print_grid("limits", ["limit", "value"], report["limits"].items())
