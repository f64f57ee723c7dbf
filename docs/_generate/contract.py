"""The numbered contract, from the rules that the conformance kit proves."""

from __future__ import annotations

from itertools import groupby

from docs._generate.markdown import from_docstring, table
from isthmus_conformance.rules import RULES, Rule

AREAS = {
    "KEY": "Keys",
    "STR": "Strings",
    "BIN": "Binary values",
    "NUM": "Numbers",
    "NUL": "Null, missing and boolean",
    "COL": "Lists, maps and sets",
    "PTH": "Names and paths",
    "TYP": "Other types",
    "SIZ": "Sizes",
    "QRY": "Queries, order and indexes",
    "UPD": "Updates",
    "CND": "Conditional writes and concurrency",
    "BAT": "Batches",
    "TXN": "Transactions",
    "TTL": "Expiry",
    "REP": "Repositories",
    "CHG": "Change feed",
    "TAB": "Tables, set-up and errors",
    "LYR": "Layers",
}


def rule_tables() -> str:
    """A heading and a table for each area."""
    parts = []
    for area, rules in groupby(RULES.values(), key=_area):
        parts.append(f"## {area}: {AREAS[area]}\n\n{table(['rule', 'text', 'status'], map(_row, rules))}")
    return "\n".join(parts)


def _area(rule: Rule) -> str:
    return rule.id.split("-")[0]


def _row(rule: Rule) -> tuple[str, str, str]:
    why = f" *Why:* {rule.why}" if rule.why else ""
    return f"**{rule.id}**", from_docstring(rule.text + why), rule.status
