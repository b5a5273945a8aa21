"""A plain training loop as an experiment and as the bare script it is measured against: the same maths.

Registry name ``tests.bench.plain:``; ``python -m tests.bench.plain`` takes as many steps of the bare loop as each line
of its input says, and prints its clocks: seconds on the wall, and of its thread's processor time. Given the name of an
experiment, the loop also calls its instruments at their steps and keeps what they and every step give. The experiment
reads the clocks every ``CLOCK_EVERY`` steps.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import count, islice
from typing import Any

import numpy as np
import torch

from lab import registry
from lab.config import Config, param
from lab.experiment import Arm, Experiment, Preset, Series
from lab.stream import Source
from lab.verdict import Check, Verdict
from lab.views import Curves

WIDTH, SAMPLES, WARM_UP, CLOCK_EVERY = 64, 256, 200, 100


def problem(generator: torch.Generator) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """A two-hidden-layer network and a sum of sines: about half a millisecond a step on one core."""
    model = torch.nn.Sequential(
        torch.nn.Linear(1, WIDTH),
        torch.nn.Tanh(),
        torch.nn.Linear(WIDTH, WIDTH),
        torch.nn.Tanh(),
        torch.nn.Linear(WIDTH, 1),
    )
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) / WIDTH**0.5)
    x = torch.linspace(-3, 3, SAMPLES)[:, None]
    return model, x, torch.sin(x) + torch.sin(4 * x)


def take(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, optimizer: torch.optim.Optimizer) -> float:
    """One step of training, by whoever takes it; returns the loss."""
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def losses(loss: float) -> dict[str, float]:
    """What a step records: four series, so that four views have one each."""
    return {"train_loss0": loss, "train_loss1": 2 * loss, "train_loss2": 3 * loss, "train_loss3": 4 * loss}


def clocks() -> tuple[float, float]:
    """Seconds on the wall, seconds of this thread's processor time."""
    return time.perf_counter(), time.thread_time()


class PlainConfig(Config):
    lr: float = param(1e-3, "Learning rate", symbol="η", min=1e-6, max=1.0, log=True, live=True)


class Plain(Experiment):
    title = "Plain training"
    theme = "Benches"
    claim = "None."
    paper = "None"
    Config = PlainConfig
    readings = (*(Series(f"train_loss{i}", f"Training loss {i}") for i in range(4)), Series("clock", "Clocks"))
    views = tuple(Curves((f"train_loss{i}",), title=f"Loss {i}", y_log=i % 2 == 0) for i in range(4))
    presets = {"demo": Preset({"steps": 20_000})}
    arms = {"only": Arm({}, "reproduced")}

    def setup(self) -> None:
        self.model, self.x, self.y = problem(self.generator("init"))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.config.lr)

    def step(self) -> Mapping[str, Any]:
        readings: dict[str, Any] = losses(take(self.model, self.x, self.y, self.optimizer))
        if self.now % CLOCK_EVERY == 0:
            readings["clock"] = np.array(clocks())
        return readings

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return Verdict.of(Check("rows", float(len(run.series("train_loss0")[0])), low=1))


def bare(read: Callable[[int, float], None] | None = None) -> Iterator[int]:
    """The bare loop, a step at a time; yields how many it has taken. ``read`` gets that number and the loss."""
    torch.set_num_threads(1)
    model, x, y = problem(torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in count(1):
        loss = take(model, x, y, optimizer)
        if read is not None:
            read(step, loss)
        yield step


def reader(name: str) -> Callable[[int, float], None]:
    """Calls the instruments of an experiment at their steps, as a script would, and keeps what they give in lists.

    So it does with the four losses that every step of the experiment gives.
    """
    cls = registry.experiment(name)
    experiment = cls(cls.configure(next(iter(cls.presets))), "cpu")
    experiment.setup()
    measures = [(item.period(experiment.config), getattr(experiment, item.method), []) for item in cls.instruments()]
    history: defaultdict[str, list[float]] = defaultdict(list)

    def read(step: int, loss: float) -> None:
        experiment.now = step
        for series, value in losses(loss).items():
            history[series].append(value)
        for every, measure, kept in measures:
            if step % every == 0:
                kept.append((step, measure()))

    return read


def stretch(loop: Iterator[int], steps: int) -> list[float]:
    """Clocks (2,) that the next ``steps`` steps take."""
    before = clocks()
    for _ in islice(loop, steps):
        pass
    return np.subtract(clocks(), before).tolist()


if __name__ == "__main__":
    loop = bare(reader(sys.argv[1]) if len(sys.argv) > 1 else None)
    stretch(loop, WARM_UP)
    for line in sys.stdin:
        print(json.dumps(stretch(loop, int(line))), flush=True)
