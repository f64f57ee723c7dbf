"""Slices in processes of this machine, started anew and not forked: drivers don't survive a fork."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor

from isthmus_migration.engines.base import Engine
from isthmus_migration.engines.watchdog import end_with_parent
from isthmus_migration.slices.worker import Setup, run_slice
from isthmus_migration.tasks import SliceResult, SliceTask

_setup: Setup | None = None


class ProcessEngine(Engine):
    """The default: conversion is Python's work, so it needs processes to use several cores."""

    name = "processes"

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._given: Setup | None = None

    def start(self, setup: Setup) -> None:
        self._given = setup
        # The setup goes through the pipe of each process: it may hold a URL with a secret, so it never meets a disk.
        self._pool = ProcessPoolExecutor(
            self.workers, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(setup, os.getpid())
        )

    def submit(self, task: SliceTask) -> Future[SliceResult]:
        assert self._pool is not None
        return self._pool.submit(_run, task)

    def killed(self, error: BaseException) -> bool:
        return isinstance(error, BrokenExecutor)

    def broken(self, error: BaseException) -> bool:
        return isinstance(error, BrokenExecutor)

    def rebuild(self) -> None:
        assert self._given is not None
        self.close(wait=False)
        self.start(self._given)

    def pids(self) -> list[int]:
        """The processes that run now."""
        return list(getattr(self._pool, "_processes", None) or ())

    def close(self, *, wait: bool = True) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=True)
            self._pool = None


def _begin(setup: Setup, parent: int) -> None:
    global _setup  # noqa: PLW0603  # one worker process has one setup
    _setup = setup
    # Ctrl-C reaches the whole group; the coordinator alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)


def _run(task: SliceTask) -> SliceResult:
    assert _setup is not None
    return run_slice(_setup, task)
