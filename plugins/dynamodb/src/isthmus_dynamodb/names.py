"""Names of tables: what the service calls a table is its name behind the prefix of the options."""

from __future__ import annotations

from attrs import frozen

CATALOGUE = "isthmus-catalogue"
"""Where declarations are kept on a service that has no tags; it is not listed."""

TOKENS = "isthmus-tokens"
"""Where the tokens of transactions are kept, made when the first one is used; it is not listed."""

HIDDEN = frozenset({CATALOGUE, TOKENS})


@frozen
class TableNames:
    """Puts a prefix in front of names and takes it off again.

    :param prefix: ``"prod_"`` say; tables without it are not seen
    """

    prefix: str = ""

    def native(self, name: str) -> str:
        """The service's name of a table."""
        return self.prefix + name

    def portable(self, native: str) -> str | None:
        """The name behind the prefix; ``None`` for a table without it."""
        return native[len(self.prefix) :] if native.startswith(self.prefix) else None
