"""The sync and the async surface have the same names, parameters and documentation."""

import inspect

import pytest

import isthmus

TWINS = [
    (isthmus.Database, isthmus.AsyncDatabase),
    (isthmus.Tables, isthmus.AsyncTables),
    (isthmus.BoundTable, isthmus.AsyncBoundTable),
    (isthmus.Selection, isthmus.AsyncSelection),
    (isthmus.Repository, isthmus.AsyncRepository),
    (isthmus.Query, isthmus.AsyncQuery),
    (isthmus.UnitOfWork, isthmus.AsyncUnitOfWork),
    (isthmus.UnitTable, isthmus.AsyncUnitTable),
]


def methods(kind: type) -> dict[str, str]:
    """Public methods and properties with their parameters as text."""
    found = {}
    for name, member in inspect.getmembers(kind):
        if not name.startswith("_") and callable(member):
            found[name] = str(inspect.signature(member).replace(return_annotation=inspect.Signature.empty))
        elif not name.startswith("_") and isinstance(member, property):
            found[name] = "property"
    return found


@pytest.mark.parametrize(("sync", "twin"), TWINS, ids=lambda kind: kind.__name__)
def test_same_names_and_parameters(sync: type, twin: type) -> None:
    """Code moves between both by adding or removing ``await``."""
    assert methods(sync)
    assert methods(twin) == methods(sync)


@pytest.mark.parametrize(("sync", "twin"), TWINS, ids=lambda kind: kind.__name__)
def test_same_documentation(sync: type, twin: type) -> None:
    """What a method promises does not depend on how it is called."""
    names = [name for name in methods(sync) if inspect.isfunction(getattr(sync, name, None))]
    assert names
    assert {name: inspect.getdoc(getattr(twin, name)) for name in names} == {
        name: inspect.getdoc(getattr(sync, name)) for name in names
    }


def test_connect_and_aconnect_take_the_same_arguments() -> None:
    """Opening too."""
    sync, twin = inspect.signature(isthmus.connect), inspect.signature(isthmus.aconnect)
    assert list(sync.parameters.items()) == list(twin.parameters.items())
