"""The mutants, and the runner that judges whether the kit catches them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from isthmus_conformance import RULES
from isthmus_conformance.mutants import __main__ as command
from isthmus_conformance.mutants import load, mutant
from isthmus_conformance.mutants.registry import Mutant, controls
from isthmus_conformance.mutants.running import Verdict, judge, judge_all

MUTANTS = load()


def verdict(name: str, test: str = "", breaks: Sequence[str] = ("QRY-1",), problem: str = "") -> Verdict:
    """A verdict without a run."""
    return Verdict(name, tuple(breaks), test, ("QRY-1",) if test else (), 0.1, problem)


def test_there_are_enough_mutants() -> None:
    """At least 28 broken backends and 6 broken layers."""
    layers = [one for one in MUTANTS.values() if one.layer]
    assert (len(MUTANTS) - len(layers) >= 28, len(layers) >= 6) == (True, True)


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_names_known_rules(name: str) -> None:
    """What a mutant breaks is part of the contract, and its docstring says how."""
    assert MUTANTS[name].rules
    assert set(MUTANTS[name].rules) <= set(RULES)
    assert len(MUTANTS[name].defect) > 20


def test_a_mutant_of_an_unknown_rule_is_refused() -> None:
    """A misspelt rule shows when the mutant is defined."""
    with pytest.raises(ValueError, match="QRY-999"):
        mutant("QRY-999")


def test_a_mutant_without_a_docstring_is_refused() -> None:
    """Each mutant says its defect."""
    with pytest.raises(ValueError, match="needs a docstring"):
        mutant("QRY-1")(type("Silent", (controls()["control-backend"].made,), {}))


@pytest.mark.parametrize("name", ["limit-before-filter", "half-applied", "sealing-forgets-batches"])
def test_a_mutant_is_caught_by_a_test_of_its_rule(name: str) -> None:
    """The runner finds the failing test and the rules that it names."""
    found = judge(MUTANTS[name])
    assert (found.caught, found.named, found.problem) == (True, True, "")


def test_a_crash_is_not_a_catch() -> None:
    """A mutant that can't even be made counts as a problem, not as caught by a rule."""
    found = judge(Mutant("no-such-mutant", "it is not defined", ("QRY-1",), MUTANTS["half-applied"].made))
    assert (found.caught, found.named, bool(found.problem)) == (False, False, True)


def test_all_mutants_are_judged() -> None:
    """Each gets a verdict, whatever order they end in."""
    some = list(MUTANTS.values())[:5]
    found = {one.name for one in judge_all(some, 2, lambda one: verdict(one.name, "test_x"))}
    assert found == {one.name for one in some}


@pytest.mark.parametrize(
    ("verdicts", "code", "said"),
    [
        ([verdict("a", "test_x"), verdict("c", breaks=())], 0, "1 of 1 mutants caught"),
        ([verdict("a", "test_x"), verdict("b")], 1, "survivors: b"),
        ([verdict("a", "test_x"), verdict("c", "test_y", breaks=())], 1, "controls that were refused: c"),
        ([verdict("a", "test_x"), verdict("c", breaks=(), problem="crashed")], 1, "controls that were refused: c"),
    ],
)
def test_the_exit_code_tells_whether_all_were_caught(
    verdicts: list[Verdict],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A survivor or a refused control fails the run; the share is printed and the verdicts are written."""
    monkeypatch.setattr(command, "judge_all", lambda _mutants, _jobs: iter(verdicts))
    report = tmp_path / "mutants.json"
    assert command.main(["--json", str(report)]) == code
    assert said in capsys.readouterr().out
    assert report.read_text(encoding="utf-8").count('"caught"') == len(verdicts)


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt name runs nothing."""
    assert command.main(["--only", "no-such-mutant"]) == 2
    assert "unknown mutant 'no-such-mutant'" in capsys.readouterr().out


def test_the_list_names_every_mutant(capsys: pytest.CaptureFixture[str]) -> None:
    """``--list`` gives names, rules and defects."""
    assert command.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(MUTANTS)
