"""Reading HTTP/1.1 answers from slices of any size, without I/O, with bounds on what a server can make us keep."""

from __future__ import annotations

import re
from zlib import crc32

from isthmus_dynamodb.transports.troubles import CHECKSUM

MAX_HEAD = 16 * 1024
MAX_BODY = 32 * 1024 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])[ \r]")
_SIZE_LINE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?", re.DOTALL)


class BadAnswer(Exception):  # it says what came
    """What came is not a usable answer; the connection can't be used again."""


class TooLong(BadAnswer):
    """The body is longer than what is kept in memory."""

    def __init__(self) -> None:
        super().__init__("its body is too long")


class Answer:
    """A whole answer whose length and checksum are right.

    :param head: status line and header lines as they came
    :param reusable: whether the server keeps the connection open
    """

    __slots__ = ("body", "head", "reusable", "status")

    def __init__(self, status: int, head: bytes, body: bytes, *, reusable: bool) -> None:
        self.status = status
        self.head = head
        self.body = body
        self.reusable = reusable

    def header(self, name: str) -> str | None:
        """A header's value by its name in lower case."""
        value = _value(self.head.lower(), b"\r\n%b:" % name.encode(), self.head)
        return None if value is None else value.decode("latin-1")


class AnswerReader:
    """Takes the bytes of one answer as they arrive."""

    __slots__ = ("_body", "_checksum", "_head", "_reusable", "_start", "_status")

    def __init__(self) -> None:
        self._start = b""
        self._body: _Counted | _Chunked | None = None

    @property
    def started(self) -> bool:
        """Whether anything of the answer has arrived."""
        return bool(self._start) or self._body is not None

    def feed(self, data: bytes) -> Answer | None:
        """The answer once its last byte is there.

        :raises BadAnswer: this is no answer, it is longer than it says, or its checksum is wrong
        """
        while self._body is None:
            data = self._start + data if self._start else data
            end = data.find(b"\r\n\r\n")
            if end < 0 or end > MAX_HEAD:
                self._keep_start(data)
                return None
            self._start = b""
            self._body = self._read_head(data[: end + 2])
            data = data[end + 4 :]
        body = self._body.feed(data)
        return None if body is None else self._finish(body)

    def _keep_start(self, data: bytes) -> None:
        if len(data) > MAX_HEAD:
            raise BadAnswer("its head is too long")
        if not data.startswith(b"HTTP/1."[: len(data)]):
            raise BadAnswer("it is not HTTP/1.1")
        self._start = data

    def _read_head(self, head: bytes) -> _Counted | _Chunked | None:
        """Note what the head says; ``None`` for an interim answer, which the real one follows."""
        match = _STATUS_LINE.match(head)
        if match is None:
            raise BadAnswer("it is not HTTP/1.1")
        self._status = int(match[2])
        if self._status < 200:
            return None
        lower = head.lower()
        self._head = head
        self._checksum = _value(lower, b"\r\nx-amz-crc32:")
        connection = _value(lower, b"\r\nconnection:")
        self._reusable = match[1] == b"1" and (connection is None or b"close" not in connection)
        return _body_of(lower)

    def _finish(self, body: bytes) -> Answer:
        if self._checksum is not None and self._checksum != b"%d" % crc32(body):
            raise BadAnswer(CHECKSUM)
        return Answer(self._status, self._head, body, reusable=self._reusable)


def _value(lower: bytes, mark: bytes, source: bytes | None = None) -> bytes | None:
    """A header's value: in lower case, or as it stands in ``source``."""
    start = lower.find(mark)
    if start < 0:
        return None
    start += len(mark)
    return (source or lower)[start : lower.find(b"\r\n", start)].strip()


def _body_of(lower: bytes) -> _Counted | _Chunked:
    length, coding = _value(lower, b"\r\ncontent-length:"), _value(lower, b"\r\ntransfer-encoding:")
    if coding is not None:
        if coding != b"chunked" or length is not None:
            raise BadAnswer("it has an unknown transfer encoding")
        return _Chunked()
    if length is None or not length.isdigit() or lower.count(b"\r\ncontent-length:") > 1:
        raise BadAnswer("it does not say how long it is")
    if len(length) > 9 or int(length) > MAX_BODY:
        raise TooLong
    return _Counted(int(length))


class _Counted:
    """A body of a length that is known."""

    __slots__ = ("_left", "_read")

    def __init__(self, length: int) -> None:
        self._left = length
        self._read = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        self._left -= len(data)
        if self._left < 0:
            raise BadAnswer("it is longer than it says")
        if not self._left and not self._read:
            return data
        self._read += data
        return None if self._left else bytes(self._read)


class _Chunked:
    """A body in chunks, each with its size before it."""

    __slots__ = ("_buffer", "_left", "_read", "_trailer")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._read = bytearray()
        self._left = 0
        self._trailer = False

    def feed(self, data: bytes) -> bytes | None:
        self._buffer += data
        while not self._trailer:
            if not (self._take_chunk() if self._left else self._take_size()):
                return None
        return self._take_trailer()

    def _take_chunk(self) -> bool:
        buffer, left = self._buffer, self._left
        if len(buffer) < left:
            return False
        if buffer[left - 2 : left] != b"\r\n":
            raise BadAnswer("a chunk has another length than it says")
        self._read += buffer[: left - 2]
        del buffer[:left]
        self._left = 0
        return True

    def _take_size(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise BadAnswer("a chunk has no size")
        size = int(match[1], 16)
        if len(self._read) + size > MAX_BODY:
            raise TooLong
        self._left, self._trailer = size + 2, not size
        return True

    def _take_trailer(self) -> bytes | None:
        while (line := self._take_line()) is not None:
            if not line:
                if self._buffer:
                    raise BadAnswer("it is longer than it says")
                return bytes(self._read)
        return None

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end > MAX_HEAD or (end < 0 and len(self._buffer) > MAX_HEAD):
            raise BadAnswer("a line between its chunks is too long")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line
