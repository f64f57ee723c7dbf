"""The reference of the command line, from the commands themselves: the core's, and those of first-party packages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc

import click

from docs._generate.markdown import code, table
from isthmus.cli.app import COMMANDS, cli
from isthmus.cli.exit_codes import MEANINGS
from isthmus.cli.packages import FIRST_PARTY_COMMANDS


def commands() -> Iterator[click.Context]:
    """A context for each command of the core and of isthmus-migration, and their subcommands, in order."""
    root = click.Context(cli, info_name="isthmus", max_content_width=100)
    for name in sorted({*COMMANDS, *FIRST_PARTY_COMMANDS}):
        command = cli.get_command(root, name)
        assert command is not None, name
        yield from _with_children(click.Context(command, root, name))


def _with_children(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name, command in sorted(context.command.commands.items()):
            yield from _with_children(click.Context(command, context, name))


def command_reference() -> str:
    """A heading for each command with its usage, its help and its options."""
    return "\n".join(map(_command, commands()))


def _command(context: click.Context) -> str:
    command = context.command
    usage = " ".join(context.get_usage().removeprefix("Usage: ").split())
    parts = [f"## {code(context.command_path)}", f"```text\n{usage}\n```"]
    parts += [_paragraphs(text) for text in (command.help, _own_epilog(context)) if text]
    options = [_option(option, context) for option in command.params if isinstance(option, click.Option)]
    if options:
        parts.append(table(["option", ""], options))
    return "\n\n".join(parts) + "\n"


def _own_epilog(context: click.Context) -> str | None:
    """What stands at the end of the help, unless it stands under the command's group already."""
    epilog = context.command.epilog
    group = context.parent.command.epilog if context.parent else None
    return None if epilog == group else epilog


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    record = option.get_help_record(context) or (", ".join(option.opts), option.help or "")
    return code(record[0]), record[1]


def _paragraphs(text: str) -> str:
    r"""Help as Markdown: click keeps the lines of a paragraph behind ``\b``."""
    kept = re.sub(r"\x08\n(.*?)(?=\n\n|\Z)", r"```text\n\1\n```", cleandoc(text), flags=re.DOTALL)
    # Angle brackets outside of code would be taken for HTML.
    return re.sub(r"(?<!`)<(\w+)>(?!`)", r"\\<\1\\>", kept)


def exit_codes() -> str:
    """The exit codes and what they mean."""
    return table(["code", "meaning"], [(code(int(number)), meaning) for number, meaning in MEANINGS.items()])
