"""What recording costs: the bare loop, the engine with a sink that forgets, and the engine with a run file.

The three take turns of about a second in one process, so that a busy machine is busy for all. The share is the time
spent in calls into the sink, waiting for the disk included; the turns' processor time per step is there to check it.
"""

from __future__ import annotations

import queue
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from lab.engine import Engine
from lab.hosts.link import Outbox, QueueLink
from lab.hosts.sink import Tee
from lab.stream import Sink
from storage.writer import RunWriter
from tests.bench.plain import Plain, bare
from tests.bench.table import Result

TURN = 1.0  # seconds: the writer goes to disk once in each
ROUNDS = 15


class Forgets:
    """A sink that keeps nothing."""

    def declare(self, *_: Any) -> None: ...

    def append(self, *_: Any) -> None: ...

    def event(self, *_: Any) -> None: ...

    def checkpoint(self, *_: Any) -> None: ...


class Timed:
    """A sink that passes everything on and adds up the seconds of it."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self.seconds = sink, 0.0

    def __getattr__(self, name: str) -> Any:
        put = getattr(self._sink, name)

        def timed(*arguments: Any) -> None:
            before = time.perf_counter()
            put(*arguments)
            self.seconds += time.perf_counter() - before

        return timed


def engine(sink: Any) -> Iterator[int]:
    experiment = Plain(Plain.configure(values={"steps": 10**9}))
    experiment.setup()
    return iter(Engine(experiment, sink))


def turn(loop: Iterator[int], seconds: float) -> float:
    """Seconds of processor time a step, over a turn."""
    until, before, steps = time.perf_counter() + seconds, time.thread_time(), 0
    while time.perf_counter() < until:
        next(loop)
        steps += 1
    return (time.thread_time() - before) / steps


def measure() -> Iterator[Result]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, RunWriter.create(Path(folder) / "run.h5", {}, {}, {}) as writer:
        sink = Timed(Tee(writer, Outbox(QueueLink(queue.Queue(), lambda messages: None))))
        loops = {"bare": bare(), "forgets": engine(Forgets()), "file": engine(sink)}
        for loop in loops.values():
            turn(loop, TURN / 4)
        sink.seconds, whole = 0.0, 0.0
        rounds = []
        for _ in range(ROUNDS):
            costs = {name: turn(loop, TURN) for name, loop in loops.items() if name != "file"}
            before = time.perf_counter()
            costs["file"] = turn(loops["file"], TURN)
            whole += time.perf_counter() - before
            rounds.append(costs)
    share = sink.seconds / whole
    pairs = [1 - costs["forgets"] / costs["file"] for costs in rounds]
    low, _, high = statistics.quantiles(pairs, n=4)
    note = f"calls into the sink; by {ROUNDS} pairs with and without a file, quartiles {low:.1%} to {high:.1%}"
    yield Result("recording four scalars at every step, share of time", f"{share:.1%}", "≤ 2 %", share <= 0.02, note)
    ratio = statistics.median(costs["bare"] / costs["forgets"] for costs in rounds)
    yield Result("engine without a file, against the bare loop", f"{ratio:.2f}", "≥ 0.95", ratio >= 0.95)
