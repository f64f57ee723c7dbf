"""Deliberately broken backends and layers. ``python -m isthmus_conformance.mutants`` runs the kit on each of them.

A kit that passes a broken backend proves nothing, so each mutant must make it fail, by a test that names a rule which
the mutant breaks. Most are the memory backend with one method changed; none changes anything outside of itself.
"""

from isthmus_conformance.mutants.registry import MUTANTS, Mutant, load, mutant

__all__ = ["MUTANTS", "Mutant", "load", "mutant"]
