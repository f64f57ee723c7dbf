"""Many swaps with few requests: a command for each collection and kind of write, each member by itself."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final

from attrs import frozen
from bson import encode
from bson.raw_bson import RawBSONDocument
from pymongo.errors import DuplicateKeyError, WriteError

from isthmus.fallback.store import LOST, Answer
from isthmus_mongodb.batches import chunks
from isthmus_mongodb.native import Command, pinned_to
from isthmus_mongodb.physical import Kind, Statement
from isthmus_mongodb.tables import MAJORITY

_MEMBERS: Final[dict[Kind, str]] = {"insert": "documents", "update": "updates", "delete": "deletes"}
_DUPLICATE: Final = 11000


@frozen
class Request:
    """One command.

    :param positions: of its members among all swaps
    """

    command: Command
    kind: Kind
    positions: Sequence[int]


def requests_of(statements: Sequence[tuple[str, Statement]]) -> Generator[Request, None, None]:
    """The commands for statements, each given with its collection; the changes of what is there come first."""
    groups: dict[tuple[Kind, str], list[int]] = {}
    for position, (collection, statement) in enumerate(statements):
        groups.setdefault((statement.kind, collection), []).append(position)
    for (kind, _), positions in groups.items():
        collection = statements[positions[0]][0]
        members = [RawBSONDocument(encode(statements[position][1].member())) for position in positions]
        for chunk in chunks(members):
            yield Request(_command(kind, collection, members[chunk]), kind, positions[chunk])


def _command(kind: Kind, collection: str, members: Sequence[RawBSONDocument]) -> Command:
    return Command({
        kind: collection, _MEMBERS[kind]: members, "ordered": False, "writeConcern": MAJORITY, **pinned_to(collection),
    })  # fmt: skip


def answers_of(request: Request, answer: dict[str, Any]) -> list[Answer]:
    """What became of each member. The server numbers those that failed; of unmatched ones it only tells how many.

    :raises WriteError: the server refused one for another reason than that its place was taken
    """
    members = len(request.positions)
    if "writeConcernError" in answer:
        return [LOST] * members
    taken = {_taken(problem) for problem in answer.get("writeErrors", ())}
    if request.kind == "insert":
        return [place not in taken for place in range(members)]
    done: int = answer["n"]
    return [done > 0 if done in (0, members) else LOST] * members


def _taken(problem: dict[str, Any]) -> int:
    code = problem.get("code")
    if code == _DUPLICATE and dict(problem.get("keyPattern", {})) == {"_id": 1}:
        return int(problem["index"])
    kind = DuplicateKeyError if code == _DUPLICATE else WriteError
    raise kind(str(problem.get("errmsg")), code, problem)
