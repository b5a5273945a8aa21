"""What recording costs: the same run with its file, and with a sink that forgets."""

from __future__ import annotations

import queue
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from lab.engine import Engine
from lab.hosts import execute
from lab.link import QueueLink
from lab.request import Request
from tests.bench.plain import Plain, bare
from tests.bench.table import Result

STEPS = 4000


class Forgets:
    """A sink that keeps nothing."""

    def declare(self, *_: Any) -> None: ...

    def append(self, *_: Any) -> None: ...

    def event(self, *_: Any) -> None: ...

    def checkpoint(self, *_: Any) -> None: ...

    def log(self, *_: Any) -> None: ...


def engine_only() -> float:
    """Seconds of the engine with nothing recorded."""
    torch.set_num_threads(1)
    experiment = Plain(Plain.configure(values={"steps": STEPS}))
    experiment.setup()
    started = time.perf_counter()
    for _ in Engine(experiment, Forgets()):
        pass
    return time.perf_counter() - started


def recorded(folder: Path, number: int) -> float:
    """Seconds of the hosted run with its file, from the first step to the last."""
    times: list[float] = []

    def deliver(messages: list[Any]) -> None:
        times.extend(time.perf_counter() for message in messages if message[0] in ("state", "progress"))

    request = Request(experiment="tests.bench.plain:", config={"steps": STEPS}, out=str(folder / f"{number}.h5"))
    execute(request, QueueLink(queue.Queue(), deliver))
    return times[-1] - times[0]


def measure(repeats: int = 5) -> list[Result]:
    shares, engines = [], []
    bare(500)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(repeats):
            plain, without, with_file = bare(STEPS), engine_only(), recorded(Path(folder), number)
            shares.append(1 - without / with_file)
            engines.append(plain / without)
    share, engine = statistics.median(shares), statistics.median(engines)
    spread = f"min {min(shares):.1%}, max {max(shares):.1%} of {repeats} pairs"
    return [
        Result("recording every step's scalars, share of time", f"{share:.1%}", "≤ 2 %", share <= 0.02, spread),
        Result("engine without a file, against the bare loop", f"{engine:.2f}", "≥ 0.95", engine >= 0.95),
    ]


if __name__ == "__main__":
    for result in measure():
        print(result)
