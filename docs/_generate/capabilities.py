"""What the backends declare, and what the conformance kit found."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import fields

import isthmus
from docs._generate.markdown import code, described, table
from isthmus import Capabilities, Capability, Limits
from isthmus.fallback.backend import with_transactions
from isthmus_conformance.report import Probes, Report
from isthmus_mongodb.backend import MongoDBBackend
from isthmus_mongodb.probing import Server, capabilities_of

URLS = {
    "memory://": "memory://",
    "sqlite:///FILE": "sqlite:///{folder}/shown.db",
    "sqlite://": "sqlite://",
    # Opening it sends nothing.
    "dynamodb://REGION/": "dynamodb://eu-west-1/?access_key_id=none&secret_access_key=none",
}
_HOW = "Run `make docs`, which runs the kit first."
REPORT = Path(__file__).parents[2] / "build" / "conformance.json"


@cache
def declared() -> dict[str, tuple[Capabilities, Limits]]:
    """Capabilities and limits of each first-party backend, as an opened database gives them."""
    found = {}
    with TemporaryDirectory() as folder:
        for shown, url in URLS.items():
            with isthmus.connect(url.format(folder=folder)) as database:
                found[shown] = (database.capabilities, database.limits)
    for kind in ("replica set", "standalone"):
        # A server is asked what it is; this is what follows from either answer.
        server = Server("6.0", kind)
        levels = capabilities_of(server)
        if not server.has_transactions:
            levels = with_transactions(levels)
        found[f"mongodb://, {kind}"] = (levels, MongoDBBackend.limits)
    return found


def capability_table(report: Path = REPORT) -> str:
    """The level of each capability on each first-party backend, and whether the kit found it to be so."""
    probes = Report.load(report).probes if report.is_file() else {}
    rows = [
        (code(name.value), *(_cell(probes, url, name, levels[name]) for url, (levels, _limits) in declared().items()))
        for name in Capability
    ]
    return table(["capability", *map(code, declared())], rows)


_VERDICTS = {"passed": "yes", "failed": "**failed**"}


def _cell(probes: Probes, url: str, name: Capability, level: object) -> str:
    backend = url.partition(":")[0]
    status = probes.get(backend, {}).get(name.value, {}).get(str(level), "")
    return f"{level} (probed: {_VERDICTS.get(status, 'no')})"


def limit_table() -> str:
    """The limits of each first-party backend beside the portable ones."""
    meaning = described(Limits)
    rows = [
        (code(name), _number(Limits(), name), *(_number(limits, name) for _capabilities, limits in declared().values()),
         meaning.get(name, ""))
        for name in (attribute.name for attribute in fields(Limits))
    ]  # fmt: skip
    return table(["limit", "portable", *map(code, declared()), ""], rows)


def _number(limits: Limits, name: str) -> str:
    return f"{getattr(limits, name):,}"


def results_table(report: Path = REPORT) -> str:
    """What the kit found on its last run, where there was one."""
    if not report.is_file():
        return f"This build has no report. {_HOW}\n"
    found = Report.load(report)
    return _unprobed(found) + found.rules_markdown()


def _unprobed(report: Report) -> str:
    """Which first-party backends the run did not reach, in a paragraph; nothing where it reached all."""
    missing = sorted({url.partition(":")[0] for url in declared()} - set(report.probes))
    return f"Nothing was tried on {', '.join(map(code, missing))}: no engine was there.\n\n" if missing else ""
