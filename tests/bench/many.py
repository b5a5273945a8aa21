"""Many small networks at once against one after another: net-steps per second of the same training, one core.

And a whole phase diagram, with its run files, as the study command makes it on two cores.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from lab import registry
from lab.experiment import Experiment
from lab.models.captured import WARM_UP
from lab.studies.board import Board
from lab.studies.pool import Pool
from lab.studies.study import Study, spaced
from tests.bench.table import Result

NETS = 32
SIDE, STEPS, LIMIT = 20, 4000, 300.0  # of the phase diagram: points a side, steps of each, seconds
SCENES: Mapping[str, tuple[str, str, dict[str, Any], int]] = {
    "condensation (start)": ("condensation", "start", {"steps": 10_000}, 40),
    "condensation (phase)": ("condensation", "phase", {"steps": 10_000, "widths": "30 100 300", "gamma": 1.5}, 100),
    "corrupted-grokking (p = 23, N = 60)": ("corrupted-grokking", "demo", {"p": 23, "width": 60}, 40),
    "corrupted-grokking (p = 43, N = 250, as its map)": ("corrupted-grokking", "demo", {"p": 43, "width": 250}, 5),
    "corrupted-grokking (p = 97, N = 500, its demo)": ("corrupted-grokking", "demo", {}, 1),
}
"""Experiment, preset, settings and timed steps of each network."""
NOTE = """
The misses of modular arithmetic: a step of the demo is 1.4 GFLOP of matrix products (4,700 samples, 500 neurons, 97
classes, three products), so one network after another already runs at about 44 GFLOP/s, what one core gives; batching
saves overhead only, and small networks alone have any.
"""


def prepared(name: str, preset: str, values: Mapping[str, Any], device: str = "cpu") -> list[Experiment]:
    cls = registry.experiment(name)
    members = [cls(cls.configure(preset, values={**values, "seed": seed}), device) for seed in range(NETS)]
    for member in members:
        member.setup()
    return members


def one_after_another(members: list[Experiment], steps: int) -> float:
    def each() -> None:
        for member in members:
            for _ in range(steps):
                member.step()

    return NETS * steps / seconds(each, members[0].device)


def at_once(members: list[Experiment], steps: int) -> float:
    batch = type(members[0]).batch(members)
    if members[0].device.type == "cuda":
        batch.advance(WARM_UP + 1)  # the graph is recorded by then
    return NETS * steps / seconds(lambda: batch.advance(steps), members[0].device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Of processor time, or on a GPU until it is done."""
    if device.type == "cpu":
        started = time.process_time()
        work()
        return time.process_time() - started
    torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def phase_diagram() -> Result:
    """The regimes over (γ', γ): 400 points of three networks each, every point a run file."""
    study = Study.of(
        experiment="condensation",
        preset="phase",
        settings={"widths": "30 100 300", "steps": STEPS, "record_every": 1000},
        axes=[
            {"knob": "gamma", "values": spaced(0.5, 2.0, SIDE)},
            {"knob": "gamma_prime", "values": spaced(-1.0, 1.0, SIDE)},
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        board, started = Board(study, registry.experiment(study.experiment), Path(folder)), time.perf_counter()
        pool = Pool(board, ["cpu", "cpu"])
        pool.start()
        pool.join()
        seconds = time.perf_counter() - started
        done = board.count("finished")
        size = sum(path.stat().st_size for path in Path(folder).glob("*.h5")) / 1e6
    note = f"{done} run files of {STEPS} steps, {size:.0f} MB; networks of width 30, 100 and 300 at each point"
    met = done == SIDE**2 and seconds <= LIMIT
    return Result(f"{SIDE} x {SIDE} phase diagram on two cores", f"{seconds:.0f} s", f"≤ {LIMIT:.0f} s", met, note)


def measure(repeats: int = 5) -> list[Result]:
    torch.set_num_threads(1)
    results = [phase_diagram()]
    for device, least in (("cpu", 5), ("cuda", 50)):
        if device == "cpu" or torch.cuda.is_available():
            results += [nets_at_once(scene, device, least, repeats) for scene in SCENES]
    return results


def nets_at_once(scene: str, device: str, least: int, repeats: int) -> Result:
    name, preset, values, steps = SCENES[scene]
    pairs = [
        [way(prepared(name, preset, values, device), steps) for way in (one_after_another, at_once)]
        for _ in range(repeats)
    ]
    ratios = [many / one for one, many in pairs]
    ratio, many = statistics.median(ratios), statistics.median(many for _, many in pairs)
    note = f"{many:.0f} net-steps/s; min {min(ratios):.1f}, max {max(ratios):.1f} of {repeats} pairs"
    what = f"{NETS} nets of {scene} at once, against one after another" + (", GPU" if device == "cuda" else "")
    return Result(what, f"{ratio:.1f}x", f"≥ {least}x", ratio >= least, note)


if __name__ == "__main__":
    for result in measure():
        print(result)
