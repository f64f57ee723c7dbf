"""What a third party must write is demanded when an object is made, not when it is first used."""

import pytest

from isthmus import Backend, Layer
from isthmus.embedded import EmbeddedBackend


@pytest.mark.parametrize(("base", "missing"), [(Backend, "execute"), (EmbeddedBackend, "session"), (Layer, "flow")])
def test_the_missing_method_is_named(base: type, missing: str) -> None:
    """Python names the method that is not there."""
    made = type("Made", (base,), {})
    with pytest.raises(TypeError, match=missing):
        made()
