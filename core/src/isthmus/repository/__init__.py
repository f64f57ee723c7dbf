"""Typed repositories over plain attrs classes: ``db.repository(User)``.

A class says how it is stored by a ``Model`` in ``__isthmus__``. Conditions are functions such as
``lambda u: u.age >= 18``, which type checkers check and which are recorded as trees; the functions here say what
operators can't.
"""

from isthmus.repository.conditions import between, contains, is_in, missing, not_, present, size
from isthmus.repository.model import Model
from isthmus.repository.query_spec import EntityPage

__all__ = ["EntityPage", "Model", "between", "contains", "is_in", "missing", "not_", "present", "size"]
