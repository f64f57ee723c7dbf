"""What a backend can do, how well, and within which limits.

A capability is about meaning that a caller relies on, not about speed. Every backend declares a level for each one;
what it declares unsupported is refused before any I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from attrs import evolve, field, frozen

from isthmus.errors import PluginError, UnsupportedOperation


class Capability(StrEnum):
    """Everything that a caller may rely on, beyond reading and writing single items."""

    STRONG_READ = "strong_read"
    CONDITIONAL_WRITE = "conditional_write"
    CONDITIONAL_DELETE = "conditional_delete"
    UPDATE = "update"
    UPSERT = "upsert"
    NESTED_UPDATE = "nested_update"
    RETURN_OLD = "return_old"
    RETURN_NEW = "return_new"
    CURRENT_ON_FAILURE = "current_on_failure"
    ORDERED_QUERY = "ordered_query"
    REVERSE_QUERY = "reverse_query"
    FILTER = "filter"
    PROJECTION = "projection"
    SCAN = "scan"
    PARALLEL_SCAN = "parallel_scan"
    COUNT = "count"
    SECONDARY_INDEX = "secondary_index"
    STRONG_INDEX_READ = "strong_index_read"
    UNIQUE_INDEX = "unique_index"
    BATCH_GET = "batch_get"
    BATCH_WRITE = "batch_write"
    TRANSACT_WRITE = "transact_write"
    TRANSACT_GET = "transact_get"
    IDEMPOTENCY_TOKEN = "idempotency_token"  # noqa: S105  # the name of a feature
    OPERATION_ID = "operation_id"
    REVISION = "revision"
    TTL = "ttl"
    NUMBER_KEY = "number_key"
    BINARY_KEY = "binary_key"
    WIDE_NUMBERS = "wide_numbers"
    TABLE_MANAGEMENT = "table_management"
    DURABLE = "durable"
    SHARED_BY_PROCESSES = "shared_by_processes"


@frozen
class Full:
    """Works as the contract says."""

    @property
    def supported(self) -> bool:
        return True

    def __str__(self) -> str:
        return "full"


@frozen
class Versioned:
    """Works on the named versions of the store, ``">=4.2"`` say, and was found there when the database was opened."""

    versions: str

    @property
    def supported(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"full on {self.versions}"


@frozen
class Emulated:
    """Works as the contract says, at a cost that the reason names."""

    reason: str

    @property
    def supported(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"emulated: {self.reason}"


@frozen
class Unsupported:
    """Does not work; the reason says why and what to use instead."""

    reason: str

    @property
    def supported(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"unsupported: {self.reason}"


Support = Full | Versioned | Emulated | Unsupported
NO_UNIQUE_INDEX = Unsupported(
    "no index of this store keeps values unique; declare them in a model, and its repository keeps them by guard items"
)


def _levels(levels: Mapping[Capability, Support]) -> dict[Capability, Support]:
    return dict(levels)


@frozen
class Capabilities(Mapping[Capability, Support]):
    """A level for each capability; one that is left out is a mistake of the backend.

    :raises PluginError: a capability is undeclared, or a reason is empty
    """

    levels: Mapping[Capability, Support] = field(converter=_levels)

    def __attrs_post_init__(self) -> None:
        missing = [capability.value for capability in Capability if capability not in self.levels]
        if missing:
            raise PluginError(f"the backend declares no level for {', '.join(missing)}: declare each capability")
        for capability, level in self.levels.items():
            if isinstance(level, (Emulated, Unsupported)) and not level.reason.strip():
                raise PluginError(f"the level of capability {capability.value} needs a reason")

    @classmethod
    def full_except(cls, exceptions: Mapping[Capability, Support]) -> Capabilities:
        """Everything ``Full`` but what is given, and but unique indexes, which a backend names where it has them."""
        usual: dict[Capability, Support] = {capability: Full() for capability in Capability}
        return cls({**usual, Capability.UNIQUE_INDEX: NO_UNIQUE_INDEX, **exceptions})

    def replace(self, changes: Mapping[Capability, Support]) -> Capabilities:
        """A copy with other levels, for a layer that hides or adds something."""
        return evolve(self, levels={**self.levels, **changes})

    def __getitem__(self, capability: Capability) -> Support:
        return self.levels[capability]

    def __iter__(self) -> Iterator[Capability]:
        return iter(self.levels)

    def __len__(self) -> int:
        return len(self.levels)

    def supports(self, capability: Capability) -> bool:
        """Whether the level is anything but ``Unsupported``."""
        return self.levels[capability].supported

    def unsupported(self) -> dict[Capability, Unsupported]:
        """What is refused, with its reasons."""
        return {name: level for name, level in self.levels.items() if isinstance(level, Unsupported)}


def refuse(capability: Capability, reason: str, backend: str) -> UnsupportedOperation:
    """The error for a use of an unsupported capability."""
    message = f"{backend} does not support {capability.value}: {reason}"
    return UnsupportedOperation(message, capability=capability.value, reason=reason)


@frozen
class Limits:
    """Sizes and counts that the core checks before any I/O. The defaults are the portable ones.

    :param item_bytes: size of an item, by DynamoDB's formula, names included (rule SIZ-3)
    :param depth: containers nested inside one attribute (rule SIZ-2)
    :param number_digits: significant decimal digits of a number
    :param name_bytes: an attribute's name, UTF-8 bytes
    :param partition_key_bytes: a partition key's value, bytes
    :param sort_key_bytes: a sort key's value, bytes
    :param transaction_actions: actions of one transaction
    :param transaction_bytes: what one transaction carries, by the same formula as items
    :param condition_operators: operators of one condition
    """

    item_bytes: int = 409_600
    depth: int = 31
    number_digits: int = 34
    name_bytes: int = 65_535
    partition_key_bytes: int = 2_048
    sort_key_bytes: int = 1_024
    transaction_actions: int = 100
    transaction_bytes: int = 4_194_304
    condition_operators: int = 300
