"""A gate that calls pass: closing lets those inside finish, and no more of them in."""

from __future__ import annotations

import threading

from isthmus.errors import Closed
from isthmus_mongodb.forks import forget_after_fork

# A call without a deadline may wait for a server that never answers; closing then goes on without it, seconds.
LONGEST_WAIT = 30.0


class Gate:
    """Counts the calls at work."""

    def __init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Forget who is inside: after a fork the other threads are not here."""
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._inside = 0
        self.closed = False

    def enter(self) -> None:
        """Begin a call.

        :raises Closed: the gate is shut
        """
        with self._lock:
            if self.closed:
                raise Closed("the database was closed: connect again")
            self._inside += 1

    def leave(self) -> None:
        """End a call."""
        with self._lock:
            self._inside -= 1
            if self.closed and not self._inside:
                self._idle.set()

    def shut(self) -> None:
        """Let nobody in any more."""
        with self._lock:
            self.closed = True
            if not self._inside:
                self._idle.set()

    def wait(self) -> None:
        """Wait until everybody is out, for a bounded time."""
        self._idle.wait(LONGEST_WAIT)
