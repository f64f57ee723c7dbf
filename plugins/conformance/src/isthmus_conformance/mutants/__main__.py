"""``python -m isthmus_conformance.mutants``: run the kit on every mutant, and print which test caught it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from isthmus_conformance.mutants.registry import Mutant, controls, load
from isthmus_conformance.mutants.running import Verdict, judge_all


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit code: 1 when a mutant survives or a control is refused."""
    options = _options(arguments)
    known = {**load(), **controls()}
    unknown = [name for name in options.only if name not in known]
    if unknown:
        _say(f"unknown mutant {unknown[0]!r}: --list names all of them")
        return 2
    if options.list:
        for mutant in load().values():
            _say(f"{mutant.name:<32} {', '.join(mutant.rules):<20} {mutant.defect}")
        return 0
    return _run([known[name] for name in options.only or known], options.jobs, options.json)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m isthmus_conformance.mutants", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="run this mutant; repeatable")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="mutants at the same time")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the verdicts to a file")
    parser.add_argument("--list", action="store_true", help="name all mutants and their defects")
    return parser.parse_args(arguments)


def _run(mutants: list[Mutant], jobs: int, path: Path | None) -> int:
    started = perf_counter()
    # The controls run every test and take longest, so they start first.
    ordered = sorted(mutants, key=lambda mutant: bool(mutant.rules))
    verdicts = []
    for verdict in judge_all(ordered, jobs):
        verdicts.append(verdict)
        _say(_line(verdict))
    if path is not None:
        path.write_text(json.dumps([verdict.to_dict() for verdict in verdicts], indent=2), encoding="utf-8")
    broken = [verdict for verdict in verdicts if verdict.breaks]
    refused = [verdict.name for verdict in verdicts if not verdict.breaks and (verdict.caught or verdict.problem)]
    survivors = [verdict.name for verdict in broken if not verdict.caught]
    _say(_summary(broken, survivors, refused, perf_counter() - started))
    return 1 if survivors or refused else 0


def _line(verdict: Verdict) -> str:
    if not verdict.breaks:
        outcome = f"REFUSED by {verdict.test}" if verdict.caught else _last(verdict.problem) or "passes, as it should"
    elif not verdict.caught:
        outcome = f"SURVIVES {_last(verdict.problem)}"
    else:
        outcome = f"{verdict.test} ({', '.join(verdict.rules) or 'no rule'})" + (
            "" if verdict.named else " [other rule]"
        )
    return f"{verdict.name:<32} {', '.join(verdict.breaks):<22} {verdict.seconds:>6.1f} s  {outcome}"


def _last(problem: str) -> str:
    return problem.strip().rpartition("\n")[2]


def _summary(broken: Sequence[Verdict], survivors: Sequence[str], refused: Sequence[str], seconds: float) -> str:
    caught = len(broken) - len(survivors)
    named = sum(verdict.named for verdict in broken)
    lines = [f"{caught} of {len(broken)} mutants caught, {named} by a test that names their rule; {seconds:.0f} s"]
    lines += [f"survivors: {', '.join(survivors)}"] if survivors else []
    lines += [f"controls that were refused: {', '.join(refused)}"] if refused else []
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
