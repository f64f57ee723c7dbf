"""Slices in processes of this machine, started anew and not forked: drivers don't survive a fork."""

from __future__ import annotations

import os
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Final

from isthmus_migration.engines.base import Engine
from isthmus_migration.engines.members import Jobs, Member
from isthmus_migration.slices.worker import Setup
from isthmus_migration.tasks import SliceResult, SliceTask

_LATER: Final = 5.0
"""Seconds after which those processes are started that the machine has no processors for: the first ones get going
sooner, and a short run has no need of the others."""


class ProcessEngine(Engine):
    """The default: conversion is Python's work, so it needs processes to use several cores."""

    name = "processes"

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._jobs: Jobs = SimpleQueue()
        self._members: list[Member] = []

    def start(self, setup: Setup) -> None:
        self._jobs = SimpleQueue()
        at_once = os.cpu_count() or 1
        self._members = [
            Member(number, setup, self._jobs, delay=0.0 if number < at_once else _LATER)
            for number in range(self.workers)
        ]
        for member in self._members:
            member.start()

    def submit(self, task: SliceTask) -> Future[SliceResult]:
        future: Future[SliceResult] = Future()
        self._jobs.put((future, task))
        return future

    def overdue(self, seconds: float) -> None:
        for member in self._members:
            member.overdue(seconds)

    def pids(self) -> list[int]:
        """The processes that run now."""
        return [pid for member in self._members if (pid := member.pid) is not None]

    def close(self, *, wait: bool = True) -> None:
        self._cancel_queued()
        members, self._members = self._members, []
        for member in members:
            if not wait:
                member.kill(closing=True)
            member.leave()
        for member in members:
            member.join()

    def _cancel_queued(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return
            if job is not None:
                job[0].cancel()
