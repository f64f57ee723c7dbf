"""Processes of this machine, started anew and not forked: drivers don't survive a fork."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from isthmus_migration.engines.watchdog import end_with_parent

GONE: Final = (EOFError, OSError)
"""What a pipe raises whose other process is gone."""
STARTING_SECONDS: Final = 120.0
"""How long a new process may take until it is ready; opening places that are away takes its time."""
ENDING_SECONDS: Final = 5.0
"""How long one that has been told to may take to end by itself."""
_starting = threading.Lock()


def spawned(work: Callable[..., None], *given: Any) -> tuple[SpawnProcess, Connection]:
    """Start a process that calls a function with its end of a pipe and what is given; the process and our end.

    What is given goes through a pipe: it may hold a secret, so it never meets a disk.

    :param work: a function of a module, which the process loads by its name
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    name = work.__module__, work.__qualname__
    process = context.Process(target=_begin, args=(name, theirs, os.getpid(), pickle.dumps(given)), daemon=True)
    try:
        with _starting, _interrupts_held_back(), _program_without_file():
            process.start()
    except BaseException:
        # Ctrl-C that was held back comes when the process is there.
        buried(process if process.pid is not None else None, ours, 0.0)
        raise
    finally:
        theirs.close()
    return process, ours


def _begin(name: tuple[str, str], pipe: Connection, parent: int, given: bytes) -> None:
    """What a process does: work that Ctrl-C does not reach, and that ends with its parent."""
    # Ctrl-C reaches the whole group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    end_with_parent(parent)
    # What is loaded stays; without this, the cycle collector goes over all of it again and again.
    gc.disable()
    module, function = name
    work: Callable[..., None] = getattr(import_module(module), function)
    arguments = pickle.loads(given)  # noqa: S301  # made by the parent
    gc.freeze()
    gc.enable()
    work(pipe, *arguments)
    # Nothing is left to be taken down, and threads of drivers may sleep for half a second before they end.
    with suppress(AttributeError, OSError, ValueError):  # a stream that was closed, full, or never there
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let a new process begin with Ctrl-C held back, until it says itself that it does not care."""
    # It would give Ctrl-C back in the middle of the first start.
    resource_tracker.ensure_running()
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


@contextmanager
def _program_without_file() -> Iterator[None]:
    """Let a new process not look for the file of a program that came from the standard input: there is none."""
    main = sys.modules["__main__"]
    if getattr(main, "__file__", None) != "<stdin>":
        yield
        return
    main.__file__ = None
    try:
        yield
    finally:
        main.__file__ = "<stdin>"


def heard(pipe: Connection, seconds: float) -> Any:
    """The next thing that a process sends.

    :raises TimeoutError: it sends nothing for so long: it hangs, or is stopped
    :raises OSError: it is gone, as ``EOFError`` says too
    """
    if not pipe.poll(seconds):
        raise TimeoutError
    return pipe.recv()


def buried(process: SpawnProcess | None, pipe: Connection | None, wait: float) -> int | None:
    """End what is left of a process; its exit code, negative for a signal.

    :param pipe: our end of its pipe, which is closed
    :param wait: seconds for which it may end by itself: its pipe closes a moment before it is gone
    """
    if pipe is not None:
        pipe.close()
    if process is None:
        return None
    process.join(wait)
    process.kill()
    process.join()
    return process.exitcode


def ending(code: int | None) -> str:
    """How a process ended, in words.

    :param code: its exit code, negative for a signal
    """
    return f"with exit code {code}" if code is not None and code >= 0 else f"by signal {-(code or -9)}"
