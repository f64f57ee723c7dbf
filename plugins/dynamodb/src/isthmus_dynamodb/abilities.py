"""What DynamoDB can do of what callers may rely on."""

from __future__ import annotations

from isthmus.capabilities import Capabilities, Capability, Emulated, Unsupported
from isthmus_dynamodb.options import Options

_STRONG_INDEX = Unsupported(
    "DynamoDB updates a global index after the item, and no read waits for it: read by the table's key instead"
)
_NO_IDS = Unsupported("the option operation_ids is off: turn it on, or read the item after an unknown outcome")
_NO_MARKS = Unsupported(
    "the option operation_ids is off, so items hold nothing that tells changes: turn it on, or use a versioned table"
)
_TOKEN = Emulated(
    "a transaction with a token writes one item more, in a table for tokens that is made when it is first needed;"
    " it takes 99 actions"
)


def capabilities(options: Options) -> Capabilities:
    """The levels of one database."""
    ids = {} if options.operation_ids else {Capability.OPERATION_ID: _NO_IDS, Capability.REVISION: _NO_MARKS}
    return Capabilities.full_except(
        {Capability.STRONG_INDEX_READ: _STRONG_INDEX, Capability.IDEMPOTENCY_TOKEN: _TOKEN, **ids}
    )
