"""An HTTP server before DynamoDB Local that gives answers which only the service itself gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from attrs import define, field

from tests.faults.sockets import HOST

Json = dict[str, Any]
Forward = Callable[[Json], Json]
"""Sends a request on to DynamoDB Local, and gives its answer."""
Act = Callable[[Json, Forward], tuple[int, Json]]
"""Gives status and answer of a request."""


@define
class Front:
    """The plan of the next answers, by action; requests beyond it are forwarded.

    :param seen: the actions of all requests so far
    """

    server: tuple[str, int]
    address: str = ""
    seen: list[str] = field(factory=list)
    _plan: dict[str, list[Act]] = field(factory=dict)

    def plan(self, action: str, *acts: Act) -> None:
        """Let the next requests of an action be answered so."""
        self._plan.setdefault(action, []).extend(acts)

    def answer(self, action: str, headers: dict[str, str], body: Json) -> tuple[int, Json]:
        """Status and answer of a request."""
        self.seen.append(action)
        acts = self._plan.get(action)
        if not acts:
            return self._forwarded(headers, body)
        return acts.pop(0)(body, lambda changed: self._forwarded(headers, changed)[1])

    def _forwarded(self, headers: dict[str, str], body: Json) -> tuple[int, Json]:
        connection = HTTPConnection(*self.server, timeout=10)
        try:
            connection.request("POST", "/", json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: ClassVar[Front]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        action = self.headers["X-Amz-Target"].rpartition(".")[2]
        kept = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
        status, answer = self.front.answer(action, kept, body)
        self._send(status, json.dumps(answer).encode())

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_details: object) -> None:
        """Tests print nothing."""


@contextmanager
def front(server: tuple[str, int]) -> Iterator[Front]:
    """A front that listens while the block runs."""
    found = Front(server)
    handler = type("Handler", (_Handler,), {"front": found})
    with ThreadingHTTPServer((HOST, 0), handler) as listening:
        listening.daemon_threads = True
        found.address = f"{HOST}:{listening.server_address[1]}"
        threading.Thread(target=listening.serve_forever, args=[0.01], daemon=True).start()
        yield found
        listening.shutdown()


def refusal(code: str, status: int = 400, **more: Any) -> Act:
    """An error of the service; the request has no effect."""
    return lambda _body, _forward: (status, _error(code, more))


def refusal_after_the_effect(code: str, status: int) -> Act:
    """An error of the service, which carried the request out nevertheless."""

    def act(body: Json, forward: Forward) -> tuple[int, Json]:
        forward(body)
        return status, _error(code, {})

    return act


def cancelled(*codes: str) -> Act:
    """A transaction that was cancelled, with a reason for each action."""
    reasons = [{"Code": code, "Message": "of the test"} for code in codes]
    return refusal("TransactionCanceledException", CancellationReasons=reasons)


def some_items(count: int) -> Act:
    """A batch of writes of which only so many are carried out."""

    def act(body: Json, forward: Forward) -> tuple[int, Json]:
        ((table, members),) = body["RequestItems"].items()
        if count:
            forward({**body, "RequestItems": {table: members[:count]}})
        return 200, {"UnprocessedItems": {table: members[count:]} if members[count:] else {}}

    return act


def some_keys(count: int) -> Act:
    """A batch of reads of which only so many are answered."""

    def act(body: Json, forward: Forward) -> tuple[int, Json]:
        ((table, wanted),) = body["RequestItems"].items()
        first, rest = wanted["Keys"][:count], wanted["Keys"][count:]
        answer: Json = {"Responses": {table: []}}
        if first:
            answer = forward({**body, "RequestItems": {table: {**wanted, "Keys": first}}})
        return 200, {**answer, "UnprocessedKeys": {table: {**wanted, "Keys": rest}} if rest else {}}

    return act


def _error(code: str, more: Json) -> Json:
    return {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "of the test", **more}
