"""Reading HTTP answers: the same result for every slicing, and nothing damaged gets through."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus_dynamodb.transports.answers import MAX_BODY, MAX_HEAD, Answer, AnswerReader, BadAnswer
from plugins.dynamodb.tests.servers import answer


def chunked(parts: list[bytes], *, extension: str = "", trailer: str = "") -> bytes:
    """An answer in chunks."""
    body = b"".join(f"{len(part):x}{extension}\r\n".encode() + part + b"\r\n" for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + f"0\r\n{trailer}\r\n".encode()


def read(slices: list[bytes]) -> Answer | None:
    """What the reader makes of these slices."""
    reader = AnswerReader()
    found = None
    for data in slices:
        found = reader.feed(data)
    return found


def sliced(data: bytes, cuts: list[int]) -> list[bytes]:
    """The same bytes in pieces."""
    places = [0, *sorted({cut % len(data) for cut in cuts} - {0}), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


_CUTS = st.lists(st.integers(0, 10_000), max_size=12)
_PARTS = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


@given(st.binary(max_size=80), _CUTS)
def test_every_slicing_of_a_counted_answer_gives_its_body(body: bytes, cuts: list[int]) -> None:
    """An answer of known length can arrive in any pieces."""
    found = read(sliced(answer(body), cuts))
    assert found is not None
    assert (found.status, found.body, found.reusable) == (200, body, True)


@given(_PARTS, st.sampled_from(["", ";a=b"]), st.sampled_from(["", "X: y\r\n"]), _CUTS)
def test_every_slicing_of_a_chunked_answer_gives_its_body(
    parts: list[bytes], extension: str, trailer: str, cuts: list[int]
) -> None:
    """Chunks, their extensions and trailers can arrive in any pieces."""
    found = read(sliced(chunked(parts, extension=extension, trailer=trailer), cuts))
    assert found is not None
    assert found.body == b"".join(parts)


@given(st.binary(max_size=60), st.booleans())
def test_no_part_of_an_answer_is_taken_for_the_whole(body: bytes, in_chunks: bool) -> None:
    """Every proper beginning of an answer leaves the reader waiting."""
    whole = chunked([body] if body else []) if in_chunks else answer(body)
    assert [read([whole[:end]]) for end in range(1, len(whole))] == [None] * (len(whole) - 1)


@given(st.binary(max_size=400))
def test_random_bytes_never_do_more_than_be_refused(data: bytes) -> None:
    """Garbage is refused or waited on; no other exception comes out."""
    try:
        found = read([data])
    except BadAnswer:
        found = None
    assert found is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "it is not HTTP/1.1"),
        (b"HTTP/2 200\r\n\r\n", "it is not HTTP/1.1"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "it is not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "it does not say how long it is"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "it does not say how long it is"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "it does not say how long it is"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "it has an unknown transfer encoding"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "it has an unknown transfer encoding",
        ),
        (answer(b"{}") + b"more", "it is longer than it says"),
        (chunked([b"{}"]) + b"more", "it is longer than it says"),
        (answer(b"{}").replace(b"Length: 2", b"Length: %d" % (MAX_BODY + 1)), "its body is too long"),
        (answer(b"{}").replace(b"Length: 2", b"Length: " + b"9" * 5000), "its body is too long"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * MAX_HEAD, "its head is too long"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "a chunk has no size"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", "its body is too long"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx",
            "a chunk has another length than it says",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;" + b"y" * (MAX_HEAD + 1),
            "a line between its chunks is too long",
        ),
    ],
)
def test_what_is_no_answer_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    """Each kind of damage has a reason of its own."""
    with pytest.raises(BadAnswer) as caught:
        read([data])
    assert str(caught.value) == reason


@given(st.binary(min_size=1, max_size=50), st.integers(0), st.integers(0, 7))
def test_a_changed_bit_is_noticed(body: bytes, place: int, bit: int) -> None:
    """One wrong bit of the body does not match the checksum."""
    whole = bytearray(answer(body))
    whole[len(whole) - len(body) + place % len(body)] ^= 1 << bit
    with pytest.raises(BadAnswer, match="CRC32 checksum"):
        read([bytes(whole)])


def test_an_interim_answer_is_passed_over() -> None:
    """``100 Continue`` stands before the real answer, however often."""
    found = read([b"HTTP/1.1 100 Continue\r\n\r\n" * 2000 + answer(b"[]")])
    assert found is not None
    assert found.body == b"[]"


@pytest.mark.parametrize(
    ("whole", "reusable"),
    [
        (answer(b"{}"), True),
        (answer(b"{}", "Connection: keep-alive"), True),
        (answer(b"{}", "connection: Close"), False),
        (answer(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"), False),
    ],
)
def test_the_server_says_whether_a_connection_is_used_again(whole: bytes, reusable: bool) -> None:
    """``Connection: close`` and HTTP/1.0 end a connection."""
    found = read([whole])
    assert found is not None
    assert found.reusable is reusable


def test_a_headers_value_keeps_its_case() -> None:
    """Names of headers have no case, their values have."""
    found = read([answer(b"{}", "X-AMZN-RequestId: AbC ")])
    assert found is not None
    assert (found.header("x-amzn-requestid"), found.header("x-absent")) == ("AbC", None)
