"""Commands that activated plugins add."""

from __future__ import annotations

from functools import cache

import click

from isthmus.cli.output import warn
from isthmus.config import active_plugins, load_settings
from isthmus.errors import IsthmusError
from isthmus.hookspecs import HookSpecs
from isthmus.plugins import Plugin


@cache
def plugin_commands() -> click.Group:
    """The commands of the plugins that the configuration activates; a broken plugin is reported and left out."""
    return collect(_activated())


def collect(plugins: list[Plugin]) -> click.Group:
    """The commands of these plugins, in the order of their names."""
    group = click.Group("plugins")
    for plugin in sorted(plugins, key=lambda one: one.name):
        _add(plugin, group)
    return group


def _activated() -> list[Plugin]:
    try:
        return active_plugins(load_settings(url_use="ignored"))
    except IsthmusError as error:
        # The command that needs the configuration will fail with the same words; the others should still work.
        warn(f"commands of plugins are left out: {error.message}")
        return []


def _add(plugin: Plugin, group: click.Group) -> None:
    if type(plugin).isthmus_register_commands is HookSpecs.isthmus_register_commands:
        return
    # A plugin that fails half-way adds nothing, so each one gets a group of its own first.
    own = click.Group(plugin.name)
    try:
        plugin.isthmus_register_commands(own)
    except Exception as error:  # one plugin must not take the command line away
        warn(f"the commands of plugin {plugin.name!r} are left out: {type(error).__name__}: {error}")
        return
    for name, command in own.commands.items():
        if name in group.commands:
            warn(f"command {name!r} of plugin {plugin.name!r} is left out: another plugin has one of that name")
        else:
            group.add_command(command, name)
