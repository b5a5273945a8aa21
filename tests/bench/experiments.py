"""Whole experiments against bare scripts of the same maths: with their file and instruments, and with instruments off.

Within each run the bare script takes turns with it, of some tenths of a second, so that whatever else the machine does
slows both; processor time is what counts. Set-up, the first steps, the readings of the last boundary and the verdict
are outside the clock: what is timed are whole periods of the dearest instrument, as in the middle of a long run.
"""

from __future__ import annotations

import contextlib
import queue
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from unittest import mock

import torch
from torch.nn import functional

from lab import registry
from lab.engine import Engine
from lab.experiment import Experiment
from lab.hosts.link import QueueLink
from lab.hosts.run import execute
from lab.request import Request
from tests.bench.table import Result

WARM_UP, TURNS = 20, 40
NOTE = """
Whole experiments against bare scripts of the same maths: processor time, medians of runs. In every run the two take 40
turns, and the run's clocks stand still in the script's. What is compared is the middle of a long run, in whole periods
of the dearest instrument, with all rows and checkpoints that fall due: no set-up, first steps or readings of the end.
"""
Step = Callable[[], Any]


def condensation() -> Step:
    """Twins of one hidden layer, one with dropout; Adam on (1/2n) Σ (f - y)². Scene C of the experiment."""
    generator, width = torch.Generator().manual_seed(0), 500
    x = torch.linspace(-1.5, 1.5, 8, dtype=torch.float64)[:, None]
    y = torch.tanh(3 * (x + 0.6)) - torch.tanh(3 * (x - 0.6))
    nets = []
    for _ in range(2):
        first = torch.nn.Linear(1, width, dtype=torch.float64)
        last = torch.nn.Linear(width, 1, bias=False, dtype=torch.float64)
        nets.append((first, last, torch.optim.Adam([*first.parameters(), *last.parameters()], lr=1e-3, fused=True)))

    def step() -> None:
        for (first, last, optimizer), dropout in zip(nets, (0.1, 0.0), strict=True):
            hidden = torch.tanh(first(x))
            if dropout:
                hidden = hidden * (torch.rand(hidden.shape, generator=generator) >= dropout) / (1 - dropout)
            loss = (last(hidden) - y).square().mean() / 2
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss.item()

    return step


def anchor() -> Step:
    """The decoder of the anchor task on batches of 100 sequences, AdamW and clipped gradients; random tokens do."""
    from lab.models.architecture import Architecture
    from lab.models.transformer import Transformer

    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(201, (1000, 9), generator=generator)
    labels = torch.randint(201, (1000,), generator=generator)
    model = Transformer(Architecture(201, 20, 64, 2, 1, 32, 192, norm="post"), generator)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-5, weight_decay=0.1, fused=True)

    def batches() -> Iterator[torch.Tensor]:
        while True:
            yield from torch.randperm(1000, generator=generator).split(100)

    taken = batches()

    def step() -> None:
        rows = next(taken)
        loss = functional.cross_entropy(model.predict(tokens[rows]), labels[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        loss.item()

    return step


def corrupted() -> Step:
    """f = W (U e_n + V e_m)² on 4704 pairs at once; AdamW on the mean square to one-hot labels."""
    p, width, generator = 97, 500, torch.Generator().manual_seed(0)
    u, v, w = (torch.nn.Parameter(0.05 * torch.randn(p, width, generator=generator)) for _ in range(3))
    pairs = torch.randperm(p * p, generator=generator)[: p * p // 2]
    n, m = pairs // p, pairs % p
    targets = functional.one_hot((n + m) % p, p).float()
    optimizer = torch.optim.AdamW([u, v, w], lr=1e-2, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def step() -> None:
        hidden = (functional.embedding(n, u) + functional.embedding(m, v)).square()
        loss = functional.mse_loss(hidden @ w.T, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


CASES: dict[str, tuple[str, Callable[[], Step], int]] = {
    "condensation": ("dropout", condensation, 4000),
    "anchor-function": ("demo", anchor, 800),
    "corrupted-grokking": ("demo", corrupted, 400),
}
"""Preset, bare script and number of timed steps: a multiple of the period of its dearest instrument, and of TURNS."""


class Turns:
    """Lets a bare script take its steps between a run's, and keeps the processor seconds of both."""

    def __init__(self, script: Step, steps: int) -> None:
        self._script, self._steps, self._each = script, steps, steps // TURNS
        self._away = self._since = 0.0
        self.bare = self.hosted = 0.0

    def clock(self) -> float:
        """Seconds on the wall without the script's turns: flushes and checkpoints fall due by it."""
        return perf_counter() - self._away

    def before(self, step: int) -> None:
        """Called before each step of the run."""
        done = step - WARM_UP
        if done < 0 or done > self._steps or done % self._each:
            return
        now, left = process_time(), perf_counter()
        if done:
            self.hosted += now - self._since
            for _ in range(self._each):
                self._script()
            self.bare += process_time() - now
        self._away += perf_counter() - left
        self._since = process_time()


def speed(name: str, out: Path, *, instruments: bool) -> float:
    """Of one run with its file, as a share of the bare script's."""
    torch.set_num_threads(1)
    preset, make, steps = CASES[name]
    script, cls = make(), registry.experiment(name)
    for _ in range(WARM_UP):
        script()
    turns, take = Turns(script, steps), cls.step

    def step(self: Experiment) -> Any:
        turns.before(self.now)
        return take(self)

    config = cls.configure(preset, values={"steps": WARM_UP + steps + 1}).model_dump(mode="json")
    request = Request(experiment=name, preset=preset, config=config, out=str(out))
    with contextlib.ExitStack() as patches:
        patches.enter_context(mock.patch.object(cls, "step", step))
        patches.enter_context(mock.patch.multiple(time, perf_counter=turns.clock, monotonic=turns.clock))
        patches.enter_context(mock.patch.dict(Engine.__init__.__kwdefaults__, clock=turns.clock))
        if not instruments:
            patches.enter_context(mock.patch.object(cls, "instruments", classmethod(lambda cls: ())))
        state, problem = execute(request, QueueLink(queue.Queue(), lambda messages: None))
    if state != "finished":
        raise RuntimeError(f"{name} ended {state}: {problem}")
    return turns.bare / turns.hosted


def measure(repeats: int = 3) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        for name, (_, _, steps) in CASES.items():
            for instruments, target in ((True, 0.75), (False, 0.95)):
                outs = [Path(folder) / f"{name}-{instruments}-{number}.h5" for number in range(repeats)]
                found = [speed(name, out, instruments=instruments) for out in outs]
                what = (
                    f"{name} with its file and {'default' if instruments else 'no'} instruments, against a bare script"
                )
                spread = f"{min(found):.2f} to {max(found):.2f} over {repeats} runs of {steps} steps, processor time"
                ratio = statistics.median(found)
                yield Result(what, f"{ratio:.2f}", f"≥ {target:g}", ratio >= target, spread)


if __name__ == "__main__":
    for result in measure():
        print(result)
