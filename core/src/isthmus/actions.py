"""The actions of transactions: pure, so the same for the sync and the async database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from isthmus import operations as op
from isthmus.expressions import Condition, Target, Targets
from isthmus.requests import KeyArgument, Projection, Requests


class Actions:
    """The actions of one table, to be handed to ``transact_write`` and ``transact_get``.

    The arguments are those of the methods of the same names on the table.
    """

    __slots__ = ("_requests",)

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def get(self, key: KeyArgument = None, /, *, select: Projection = None, **attributes: Any) -> op.Get:
        """Read one item."""
        return self._requests.get(key, attributes, select, True, None)

    def create(self, item: Mapping[str, Any], /) -> op.Create:
        """Write a new item."""
        return self._requests.create(item, None, None)

    def put(self, item: Mapping[str, Any], /, *, when: Condition | None = None) -> op.Put:
        """Write an item in place of whatever has its key."""
        return self._requests.put(item, when, None, None)

    def update(
        self,
        key: KeyArgument = None,
        /,
        *,
        set: Targets | None = None,
        set_if_absent: Targets | None = None,
        copy: Targets | None = None,
        add: Targets | None = None,
        remove: Target | Iterable[Target] | None = None,
        delete: Targets | None = None,
        append: Targets | None = None,
        prepend: Targets | None = None,
        create_lists: bool = False,
        when: Condition | None = None,
        upsert: bool = False,
        expected_version: int | None = None,
        **attributes: Any,
    ) -> op.Update:
        """Change attributes of an item."""
        wanted = {
            "set": set, "set_if_absent": set_if_absent, "copy": copy, "add": add, "remove": remove, "delete": delete,
            "append": append, "prepend": prepend, "create_lists": create_lists,
        }  # fmt: skip
        return self._requests.update(key, attributes, wanted, when, upsert, expected_version, None, None)

    def delete(
        self,
        key: KeyArgument = None,
        /,
        *,
        when: Condition | None = None,
        expected_version: int | None = None,
        **attributes: Any,
    ) -> op.Delete:
        """Remove an item."""
        return self._requests.delete(key, attributes, when, expected_version, None, None)

    def check(self, key: KeyArgument = None, /, *, when: Condition, **attributes: Any) -> op.Check:
        """Require a condition of an item that the transaction does not write."""
        return self._requests.check(key, attributes, when)
