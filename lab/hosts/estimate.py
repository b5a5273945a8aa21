"""What a run would take, from running its first steps."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from lab import load_torch, registry
from lab.devices import check_device
from lab.engine import Engine
from lab.request import Estimate, Request
from lab.schedule import Checkpoints
from lab.state import capture
from lab.stream import MemoryRun

FEWEST = 3  # training steps, however long the first readings took: the first of them pays for warming up


def estimate(request: Request, seconds: float = 0.8, hurry: Callable[[], bool] = lambda: False) -> Estimate | None:
    """What a whole run and each reading will take, from running its first steps for a moment.

    Args:
        request: What would run.
        seconds: Length of the moment.
        hurry: Asked after every step; True gives up, and the result is None.

    Raises:
        ConfigError, UnknownName, or whatever the experiment raises.
    """
    load_torch()
    cls = registry.experiment(request.experiment)
    check_device(request.device)
    config = cls.Config.parse(request.config)
    torch.set_num_threads(config.threads)
    experiment = cls(config, request.device)
    experiment.setup()
    # on one core the processor's time is what it takes, whoever else computes meanwhile
    clock = time.thread_time if request.device == "cpu" and config.threads == 1 else time.perf_counter
    engine = Engine(experiment, memory := MemoryRun(), also=request.also, clock=clock)
    begun, worked = time.perf_counter(), clock()
    until = begun + seconds
    taken = 0
    for step in engine:
        taken = step
        if hurry():
            return None
        if time.perf_counter() > until and engine.schedule.steps >= FEWEST:
            break
    waited = (time.perf_counter() - begun) / max(clock() - worked, 1e-9)
    engine.flush()
    engine.price(hurry)
    schedule = engine.schedule
    alone, prices = config.steps * schedule.seconds_per_step(), schedule.prices()
    spacing = {s.name: prices[i.method]["every"] for i in cls.instruments() if i.method in prices for s in i.series}
    size = sum(_size(memory, name, config.steps, taken, spacing.get(name)) for name in memory.names())
    checkpoints = Checkpoints.of(config)
    state = sum(array.nbytes for array in capture(experiment).values())
    size += state * checkpoints.expected(state, alone)
    return Estimate(alone, int(size), schedule.share(), prices, max(waited, 1.0))


def _size(run: MemoryRun, name: str, steps: int, taken: int, every: float | None) -> float:
    """Bytes of a series in a whole run; what no instrument reads comes as often as in the steps ``taken``."""
    step, value = run.series(name)
    rows = steps / every + 1 if every else len(step) * steps / max(taken, 1)
    return (step.nbytes + value.nbytes) / len(step) * rows
