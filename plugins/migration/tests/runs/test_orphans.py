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


_CLOSED: Final = """
import operator, sys
from isthmus.cli.streams import prepare_streams
from isthmus_migration.engines.spawning import spawned
prepare_streams()
process, pipe = spawned(operator.truth)
process.join()
sys.exit(process.exitcode)
"""


def test_a_worker_without_a_standard_output_ends_as_any_other() -> None:
    """Whoever closes it gets no traceback from each worker when all is done."""
    words = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, _CLOSED]
    ended = subprocess.run(words, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


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
