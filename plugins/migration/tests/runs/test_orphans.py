"""No worker outlives its coordinator, whatever it is at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Final

import pytest

_BUSY: Final = """
import os, re, signal
from isthmus_migration.engines.watchdog import end_with_parent
parent = os.getpid()
if os.fork() == 0:
    end_with_parent(parent)
    print(os.getpid(), flush=True)
    re.match("(a+)+$", "a" * 60 + "b")
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only a thread watches")
def test_a_worker_that_holds_the_interpreter_ends_with_its_parent() -> None:
    """A regular expression without an end lets no other thread run, so the system has to end the process."""
    with subprocess.Popen([sys.executable, "-c", _BUSY], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        try:
            # The end of the text comes when nobody is left who could write to it.
            assert parent.communicate(timeout=60)[0] == ""
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
