"""Whole experiments against bare scripts of the same maths: with their file and instruments, and with instruments off.

A pair of runs alternates with the bare loop it is compared to, and processor time is what counts, so that a busy
machine spoils no ratio. Set-up, the first steps, the readings of the last boundary and the verdict are outside the
clock: what is timed are whole periods of the dearest instrument, as in the middle of a long run.
"""

from __future__ import annotations

import queue
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch.nn import functional

from lab import registry
from lab.hosts.link import QueueLink
from lab.hosts.run import execute
from lab.request import Request
from tests.bench.table import Result

WARM_UP = 20
NOTE = """
Whole experiments against bare scripts of the same maths: processor time, medians of pairs. Whole periods of the dearest
instrument are timed, as in the middle of a long run; set-up and the readings of the last step are not.
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
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.1, fused=True)

    def batches() -> Iterator[torch.Tensor]:
        while True:
            yield from torch.randperm(1000, generator=generator).split(100)

    taken = batches()

    def step() -> None:
        rows = next(taken)
        loss = functional.cross_entropy(model.predict(tokens[rows]), labels[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
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
    "anchor-function": ("demo", anchor, 400),
    "corrupted-grokking": ("demo", corrupted, 400),
}
"""Preset, bare script and number of timed steps, a multiple of the period of its dearest instrument."""


def bare(make: Callable[[], Step], steps: int) -> float:
    """Processor seconds a step of the bare script."""
    torch.set_num_threads(1)
    step = make()
    for _ in range(WARM_UP):
        step()
    started = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - started) / steps


def hosted(name: str, preset: str, steps: int, out: Path, *, instruments: bool) -> float:
    """Processor seconds a step of the run with its file, from the first report of progress to the last on the way."""
    reports: list[tuple[int, float]] = []
    end = WARM_UP + steps

    def deliver(messages: list[Any]) -> None:
        reports.extend((m[1], time.process_time()) for m in messages if m[0] == "progress" and WARM_UP <= m[1] < end)

    cls = registry.experiment(name)
    config = cls.configure(preset, values={"steps": end}).model_dump(mode="json")
    request = Request(experiment=name, preset=preset, config=config, out=str(out))
    off = mock.patch.object(cls, "instruments", classmethod(lambda cls: ()))
    with nullcontext() if instruments else off:
        state, problem = execute(request, QueueLink(queue.Queue(), deliver))
    if state != "finished":
        raise RuntimeError(f"{name} ended {state}: {problem}")
    (first, begun), (last, ended) = reports[0], reports[-1]
    return (ended - begun) / (last - first)


def measure(repeats: int = 3) -> list[Result]:
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (preset, make, steps) in CASES.items():
            ratios: dict[bool, list[float]] = {True: [], False: []}
            for number in range(repeats):
                for instruments in ratios:
                    out = Path(folder) / f"{name}-{number}-{instruments}.h5"
                    before, run = bare(make, steps), hosted(name, preset, steps, out, instruments=instruments)
                    ratios[instruments].append((before + bare(make, steps)) / 2 / run)
            for instruments, target in ((True, 0.75), (False, 0.95)):
                found = ratios[instruments]
                what = (
                    f"{name} with its file and {'default' if instruments else 'no'} instruments, against a bare script"
                )
                spread = f"{min(found):.2f} to {max(found):.2f} over {repeats} runs of {steps} steps, processor time"
                ratio = statistics.median(found)
                results.append(Result(what, f"{ratio:.2f}", f"≥ {target:g}", ratio >= target, spread))
    return results


if __name__ == "__main__":
    for result in measure():
        print(result)
