"""Carries out points of a study: one as any run, several at once where the experiment can train them together.

Each run keeps its own engine, instruments, checkpoints and file; only the steps are taken for all at once.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence

import numpy as np

from lab import load_torch, registry
from lab.engine import LAUNCHED_ONE_BY_ONE
from lab.hosts.link import Command, Link, Message, Outbox
from lab.hosts.run import Run, execute, explain
from lab.request import Request
from lab.schedule import Checkpoints

TELL_SECONDS = 0.2  # between looks for commands; a leap takes about as long at most
CHECKPOINT_SECONDS = 0.25  # for each run of a batch: the more there are, the less often each is stored


def execute_many(requests: Sequence[Request], link: Link) -> None:
    """Run to the end, the stop or the failure; what became of each run is in its file."""
    if len(requests) == 1:
        execute(requests[0], link)
        return
    load_torch()
    outbox, problem = Outbox(link), ""
    try:
        _Batch(requests, link, outbox).drive()
    except Exception as error:  # the edge: the runs that it reached say so in their files
        outbox.put(("log", traceback.format_exc()))
        problem = explain(error)
    outbox.put(("end", "failed" if problem else "finished", problem))
    outbox.send()


class _Unwatched:
    """The link of a run in a batch: nobody commands it alone, and its file tells all."""

    def commands(self, wait: float) -> list[Command]:
        return []

    def send(self, messages: list[Message]) -> None: ...


class _Batch:
    """Runs that take their steps together."""

    def __init__(self, requests: Sequence[Request], link: Link, outbox: Outbox) -> None:
        self._link, self._outbox = link, outbox
        cls = registry.experiment(requests[0].experiment)
        steps = cls.Config.parse(requests[0].config).steps
        alone = _Unwatched()
        self._runs: list[Run] = []
        for request in requests:
            often = Checkpoints(steps, least=50, seconds=max(1.0, CHECKPOINT_SECONDS * len(requests)))
            run = Run(request, alone, Outbox(alone), often)
            run.sink.log(f"trained in one batch of {len(requests)} runs")
            self._runs.append(run)
        self._steps = self._runs[0].engine.experiment.config.steps
        self._batch = cls.batch([run.experiment for run in self._runs])
        self._going = list(self._runs)
        self._stopping = False
        self._told, self._told_at = time.perf_counter(), 0

    def drive(self) -> None:
        """Leap from one boundary at which something is due to the next, and end every run."""
        now, per_step = 0, TELL_SECONDS
        due = [run.engine.begin() for run in self._runs]
        while now < self._steps and self._going and not self._stopping:
            count = max(1, min(min(due) - now, int(TELL_SECONDS / per_step)))
            started = time.perf_counter()
            readings = self._batch.advance(count)
            seconds = time.perf_counter() - started
            per_step = max(seconds / count, 1e-7)
            now += count
            self._say_why_slow()
            for run, rows in zip(self._runs, readings, strict=True):
                if run in self._going:
                    self._take_in(run, rows, seconds / len(self._runs))
            if now >= min(due):
                due = [run.engine.begin() for run in self._going] or [now]
            self._tell(now)
        for run in self._going:
            run.engine.checkpoint()
            self._end(run, "stopped" if self._stopping else "finished")

    def _say_why_slow(self) -> None:
        if why := self._batch.captured.problem:
            self._batch.captured.problem = ""
            for run in self._going:
                run.sink.log(f"{LAUNCHED_ONE_BY_ONE}: {why}")

    def _take_in(self, run: Run, rows: Mapping[str, np.ndarray], seconds: float) -> None:
        try:
            run.engine.leap(rows, seconds)
        except Exception as error:  # this run's edge: the others go on
            run.fail(error, explain(error))
            self._going.remove(run)
            self._end(run, "failed")

    def _end(self, run: Run, state: str) -> None:
        while not run.finish(state) and self._room_comes(run):
            pass

    def _room_comes(self, run: Run) -> bool:
        """Wait while the disk is full, until told to go on; False when told to stop."""
        self._outbox.put(("state", "paused", run.sink.problem))
        self._outbox.send()
        while True:
            for command in self._link.commands(0.5):
                if command[0] in ("go", "stop"):
                    run.sink.problem = ""
                    self._outbox.put(("state", "running", ""))
                    return command[0] == "go"

    def _tell(self, now: int) -> None:
        try:
            commands = self._link.commands(0.0)
        except (EOFError, OSError):  # whoever watched is gone
            commands = [("stop",)]
            self._outbox.lost = True
        self._stopping |= ("stop",) in commands
        for run in self._going:
            while run.sink.problem and not self._stopping:
                self._stopping |= not self._room_comes(run)
        seconds = time.perf_counter() - self._told
        if seconds > TELL_SECONDS:
            self._outbox.put(("progress", now, (now - self._told_at) / seconds))
            self._outbox.send()
            self._told, self._told_at = time.perf_counter(), now
