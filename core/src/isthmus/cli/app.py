"""The root command: which commands exist, and how errors, Ctrl-C and broken pipes end."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from isthmus import __version__
from isthmus.cli.exit_codes import ExitCode, exit_code_for, exit_code_table
from isthmus.cli.extending import plugin_commands
from isthmus.cli.failures import error_details, noted_details
from isthmus.cli.output import print_error, print_interrupted
from isthmus.cli.packages import FIRST_PARTY_COMMANDS, load_command, missing_package, package_commands, usable_command
from isthmus.cli.streams import forget_output
from isthmus.errors import IsthmusError

# Modules are imported when their command is used: `isthmus get` should not pay for the demo.
COMMANDS = {
    "config": "isthmus.cli.configuration:config",
    "copy": "isthmus.cli.transfer:copy",
    "count": "isthmus.cli.selecting:count",
    "demo": "isthmus.cli.demo.command:demo",
    "doctor": "isthmus.cli.inspecting:doctor",
    "explain": "isthmus.cli.inspecting:explain",
    "get": "isthmus.cli.items:get",
    "plugins": "isthmus.cli.inspecting:plugins",
    "put": "isthmus.cli.items:put",
    "query": "isthmus.cli.selecting:query",
    "recover": "isthmus.cli.recovering:recover",
    "scan": "isthmus.cli.selecting:scan",
    "tables": "isthmus.cli.tables:tables",
    "validate": "isthmus.cli.validating:validate",
}

# A group without a command, whose message is its help; click before 8.2 ends with the help by itself.
_NO_COMMAND: type[click.ClickException] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())


class Commands(click.Group):
    """The built-in commands, those of installed packages, both loaded when used, and those of activated plugins.

    Of commands with one name, the first in this order is used.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in order."""
        return sorted({*COMMANDS, *package_commands(), *plugin_commands().commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or ``None`` if there is no such one, or if its package is broken, which is reported."""
        if cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name].partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        return usable_command(cmd_name) or plugin_commands().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was given and its arguments.

        :raises PluginError: its package is broken or missing
        """
        name = args[0]
        if name not in COMMANDS and name in package_commands():
            return name, load_command(name), args[1:]
        if name in FIRST_PARTY_COMMANDS and self.get_command(ctx, name) is None:
            raise missing_package(name)
        return super().resolve_command(ctx, args)


EPILOG = f"""\b
URL is optional everywhere: without it, isthmus.toml and ISTHMUS_URL decide.
\b
Exit codes:
{exit_code_table()}
"""


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="isthmus")
def cli() -> None:
    """One data-access API over SQLite, memory, DynamoDB, MongoDB, and any backend shipped as a package."""


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return _run(given)
    except _NO_COMMAND as error:
        print(error.format_message(), file=sys.stderr)
        return ExitCode.USAGE
    except click.ClickException as error:
        print_error(_usage_error(error), as_json="--json" in given)
        return ExitCode.USAGE
    except IsthmusError as error:
        print_error(error_details(error), as_json="--json" in given)
        return exit_code_for(error)
    except (KeyboardInterrupt, click.Abort) as error:
        print_interrupted(noted_details(error), as_json="--json" in given)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        forget_output()
        return ExitCode.BROKEN_PIPE
    except OSError as error:
        # Stores have errors of their own: this is a file of the user's, or what the output was led to.
        if error.filename is None:
            forget_output()
        print_error(_file_error(error), as_json="--json" in given)
        return ExitCode.CONFIGURATION


def _run(arguments: list[str]) -> int:
    # Not cli.main(): it turns a broken pipe into exit code 1, which means something else here.
    try:
        with cli.make_context("isthmus", list(arguments)) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as ended:  # --help and --version
        code = ended.exit_code
    sys.stdout.flush()
    return int(code or ExitCode.OK)


def _file_error(error: OSError) -> dict[str, str]:
    name = "the standard output or a file" if error.filename is None else str(error.filename)
    reason = error.strerror or type(error).__name__
    return {"code": "file", "message": f"{name} can't be used ({reason}): check the path, its permissions and room"}


def _usage_error(error: click.ClickException) -> dict[str, str]:
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    return {"code": "usage", "message": error.format_message() + hint}
