"""Reference pages that are made from the code when the documentation is built, so that they can't be stale."""

from collections.abc import Callable, Mapping

from docs._generate.api import migration_names, public_names
from docs._generate.benchmarks import dynamodb_figures, mongodb_figures, scaling
from docs._generate.capabilities import capability_table, limit_table, results_table
from docs._generate.commands import command_reference, exit_codes
from docs._generate.configuration import option_table
from docs._generate.contract import rule_tables
from docs._generate.errors import dynamodb_codes, error_table, migration_errors, mongodb_codes
from docs._generate.hooks import hook_reference

GENERATORS: Mapping[str, Callable[[], str]] = {
    "benchmarks-dynamodb": dynamodb_figures,
    "benchmarks-mongodb": mongodb_figures,
    "benchmarks-scaling": scaling,
    "capabilities": capability_table,
    "codes-dynamodb": dynamodb_codes,
    "codes-mongodb": mongodb_codes,
    "commands": command_reference,
    "configuration": option_table,
    "contract": rule_tables,
    "errors": error_table,
    "errors-migration": migration_errors,
    "exit-codes": exit_codes,
    "hooks": hook_reference,
    "limits": limit_table,
    "migration-names": migration_names,
    "public-names": public_names,
    "results": results_table,
}
"""Text in Markdown by the name that a page asks for with ``<!-- generate: name -->``."""
