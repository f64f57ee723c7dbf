"""The demo's way through its databases: the same steps on each, then one copy from each to the next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from attrs import frozen

from isthmus import copying
from isthmus.cli.demo.cities import CITIES, read_cities
from isthmus.cli.demo.report import Done, run_steps
from isthmus.cli.demo.steps import STEPS, Demo, Step, copy_and_verify
from isthmus.cli.demo.targets import Target
from isthmus.database import Database
from isthmus.errors import IntegrityError


@frozen
class Part:
    """Steps that belong together; ``name`` says where they ran."""

    name: str
    done: Sequence[Done]


@frozen
class Route:
    """How the demo runs.

    :param most: the number of cities; all of them when ``None``
    """

    most: int | None = None
    progress: copying.Reporter | None = None

    def embedded(self, source: Database, copy: Database) -> Part:
        """Every step on the embedded default, and its copy.

        :raises IsthmusError: a step failed
        """
        return Part("sqlite", run_steps(self._demo(source, copy)))

    def further(self, targets: Sequence[Target], back: Target) -> list[Part]:
        """The same steps on each target, then the copies from the first through all others to ``back``.

        :raises IsthmusError: a step failed
        """
        parts = []
        for target in targets:
            demo = self._demo(target.database, back.database)
            parts.append(
                Part(target.name, run_steps(demo, [step for step in STEPS if step.run is not copy_and_verify]))
            )
        return [*parts, Part("copies", self._copies([*targets, back]))]

    def _copies(self, targets: Sequence[Target]) -> list[Done]:
        done: list[Done] = []
        for source, target in pairwise(targets):
            # Its own run of the steps left the same items there: the copy has to bring them.
            if CITIES.name in target.database.tables.list():
                target.database.tables.drop(CITIES.name)
            step = Step(f"{source.name} -> {target.name}", copy_and_verify)
            done += run_steps(Demo(source.database, target.database, (), self.progress), [step])
        return done

    def _demo(self, source: Database, target: Database) -> Demo:
        return Demo(source, target, read_cities(self.most), self.progress)


def check_digests(parts: Sequence[Part]) -> str:
    """The digest that all copies have in common, whatever they were made from and kept in.

    :raises IntegrityError: two differ
    """
    digests = {one.outcome.digest for part in parts for one in part.done if one.outcome.digest}
    if len(digests) != 1:
        raise IntegrityError("the same steps left different items in two databases: report this as a defect")
    return digests.pop()
