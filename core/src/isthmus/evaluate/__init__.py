"""The meaning of conditions, updates and projections, in plain Python.

The memory backend runs on it, backends without an operator fall back to it, and the conformance kit compares every
backend with it.
"""

from isthmus.evaluate.changes import apply_changes
from isthmus.evaluate.conditions import Predicate, matches, predicate, size_of
from isthmus.evaluate.lookup import lookup
from isthmus.evaluate.projection import project

__all__ = ["Predicate", "apply_changes", "lookup", "matches", "predicate", "project", "size_of"]
