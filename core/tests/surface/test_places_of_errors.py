"""What is refused before an operation exists says where, and objects of the surface say what they are."""

from collections.abc import Callable

import pytest

import isthmus
from isthmus import BoundTable, F
from isthmus.errors import ConfigurationError, InvalidArgument


@pytest.fixture
def table() -> BoundTable:
    """A table in memory."""
    return isthmus.connect("memory://").table("cities", partition_key="country").ensure()


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        ("get", lambda table: table.get(country=1)),
        ("create", lambda table: table.create({"country": "FR", "x": object()})),
        ("put", lambda table: table.put({})),
        ("update", lambda table: table.update(country="FR", set={"country": "DE"})),
        ("delete", lambda table: table.delete(country="")),
        ("get_many", lambda table: table.get_many([{"country": None}])),
        ("put_many", lambda table: table.put_many([{"country": "FR"}, {"country": "FR"}])),
        ("delete_many", lambda table: table.delete_many([{}])),
        ("check", lambda table: table.actions.check(country=b"FR", when=F.x.exists())),
    ],
)
def test_refused_arguments_name_operation_and_table(
    table: BoundTable, kind: str, call: Callable[[BoundTable], object]
) -> None:
    """No backend was involved, so none is named."""
    with pytest.raises(InvalidArgument) as caught:
        call(table)
    assert (caught.value.operation, caught.value.table, caught.value.backend) == (kind, "cities", None)


def test_another_attribute_as_a_value_points_to_copy(table: BoundTable) -> None:
    """The message names the target and the argument that copies."""
    with pytest.raises(InvalidArgument, match="set= of mayor takes a value; copy= copies"):
        table.update(country="FR", set={"mayor": F.president})


def test_texts_of_objects(table: BoundTable) -> None:
    """A table and a selection are told apart in logs and at the prompt."""
    assert repr(table) == "<BoundTable 'cities' of memory://>"
    assert repr(table.scan().where(F.x > 1)) == "<Selection: scan of 'cities' where F.x > 1>"


def test_a_list_that_is_none_is_a_problem_of_the_configuration() -> None:
    """A wrong type in code is reported as one in a file is."""
    with pytest.raises(ConfigurationError, match="blocked expects a list"):
        isthmus.connect("memory://", blocked=3)  # type: ignore[arg-type]  # the mistake under test
