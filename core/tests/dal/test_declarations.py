"""What a DAL class stores: what it may say, and what is refused when it is written down."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import pytest
from attrs import define

from core.tests.dal.things import TABLE, Task, Tasks, User, World
from isthmus import AsyncDalBaseClass, DalBaseClass, Model, Table
from isthmus.errors import InvalidArgument

T = TypeVar("T")


@define
class Plain:
    """A class that doesn't say how it is stored."""

    id: str


class Company(DalBaseClass[T]):
    """The base of all DAL classes of a code base."""

    def named(self) -> str:
        return f"{self.declaration().kind.__name__} at the company"


def test_a_class_of_records_may_lack_a_model() -> None:
    """The DAL class has it then."""

    class Plains(DalBaseClass[Plain]):
        model: ClassVar[Model] = Model("plains", "id")

    with Plains("memory://") as plains:
        assert plains.ensure().create(Plain("1")) == plains.get("1")


def test_a_code_base_may_have_a_base_of_its_own() -> None:
    """And derive further from the classes that name their records."""

    class Jobs(Company[Task]):
        pass

    class Urgent(Jobs):
        pass

    for kind in (Jobs, Urgent):
        with kind("memory://") as jobs:
            assert jobs.ensure().create(Task("1", "a")) == jobs.get("1", "a")
            assert jobs.named() == "Task at the company"


@pytest.mark.parametrize("base", [DalBaseClass, DalBaseClass[Mapping[str, Any]], DalBaseClass[dict[str, Any]], Company])
def test_dictionaries_need_a_table(base: Any) -> None:
    """A class without one is a base for others."""
    kind = type("Notes", (base,), {}) if isinstance(base, type) else _derived(base, {})
    with pytest.raises(InvalidArgument, match="Notes doesn't say what it stores"):
        kind("memory://")
    with _derived(kind, {"table": Table("notes", "id")})("memory://") as notes:
        assert notes.ensure().put({"id": "1"}) == {"id": "1"}


def _derived(base: Any, body: dict[str, Any]) -> Any:
    from types import new_class

    return new_class("Notes", (base,), {}, lambda space: space.update(body))


@pytest.mark.parametrize("base", [DalBaseClass, AsyncDalBaseClass])
@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        (Plain, {}, "Notes: class Plain has no keys"),
        (Plain, {"model": "plains"}, "Notes: class Plain has no keys"),
        (User, {"table": TABLE}, "Notes has both a class and a table"),
        (dict, {"model": Model("notes", "id")}, "has a model for no class"),
        (dict, {"table": "notes"}, r"table = Table\('notes', partition_key\)"),
        ("User", {}, "put the class itself there"),
        (dict, {"former_names": {"get_item": "gett"}}, "'gett', which is no method; did you mean 'get'"),
        (dict, {"former_names": {"get": "find"}}, "'get', which it has already"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_class(base: Any, kind: Any, body: dict[str, Any], reason: str) -> None:
    """Before any object of it is made."""
    with pytest.raises(InvalidArgument, match=reason):
        _derived(base[kind], body)


def test_former_names_call_todays_methods(world: World) -> None:
    """They warn at the caller's line, and take what the method takes."""

    class Older(Tasks):
        former_names: ClassVar = {"get_item": "find", "put_item": "put", "pending": "todo"}

        def todo(self, owner: str) -> list[Task]:
            return self.query(owner).where(lambda t: t.done == False).all()  # noqa: E712  # recorded

    tasks: Any = Older(world.database)
    with pytest.warns(DeprecationWarning, match=r"Older\.put_item is now called put") as caught:
        tasks.put_item(Task("1", "a"), timeout=5)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert tasks.get_item(owner="1", name="a") == Task("1", "a", version=1)
        assert len(tasks.pending("1")) == 1
