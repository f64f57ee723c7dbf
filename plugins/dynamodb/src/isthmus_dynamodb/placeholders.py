"""Names and values of expressions stand in maps beside the text, so no name is reserved and no value is ever text."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from isthmus.expressions import Path
from isthmus.values import Value
from isthmus_dynamodb.values import AttributeValue, encode


class Placeholders:
    """Hands out ``#0`` for names and ``:0`` for values, numbered in hexadecimal; one name has one placeholder.

    All expressions of one request share one object.
    """

    __slots__ = ("_names", "_values")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, AttributeValue] = {}

    def name(self, name: str) -> str:
        """The placeholder of an attribute's name."""
        alias = self._names.get(name)
        if alias is None:
            alias = self._names[name] = f"#{len(self._names):x}"
        return alias

    def path(self, path: Path) -> str:
        """A document path: ``#0.#1[2]``."""
        text = self.name(str(path[0]))
        for element in path[1:]:
            text += f"[{element}]" if isinstance(element, int) else f".{self.name(element)}"
        return text

    def value(self, value: Value) -> str:
        """A placeholder for a portable value."""
        alias = f":{len(self._values):x}"
        self._values[alias] = encode(value)
        return alias

    @property
    def names(self) -> Collection[str]:
        """The names that have placeholders."""
        return self._names.keys()

    def parameters(self) -> dict[str, Any]:
        """``ExpressionAttributeNames`` and ``ExpressionAttributeValues``, each only if it has members."""
        parameters: dict[str, Any] = {}
        if self._names:
            parameters["ExpressionAttributeNames"] = {alias: name for name, alias in self._names.items()}
        if self._values:
            parameters["ExpressionAttributeValues"] = self._values
        return parameters
