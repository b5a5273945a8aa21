"""Many small networks at once against one after another: net-steps per second of the same training, one core.

And a whole phase diagram, with its run files, as the study command makes it on two cores.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lab import registry
from lab.experiment import Experiment
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


def prepared(name: str, preset: str, values: Mapping[str, Any]) -> list[Experiment]:
    cls = registry.experiment(name)
    members = [cls(cls.configure(preset, values={**values, "seed": seed})) for seed in range(NETS)]
    for member in members:
        member.setup()
    return members


def one_after_another(members: list[Experiment], steps: int) -> float:
    started = time.process_time()
    for member in members:
        for _ in range(steps):
            member.step()
    return NETS * steps / (time.process_time() - started)


def at_once(members: list[Experiment], steps: int) -> float:
    batch = type(members[0]).batch(members)
    started = time.process_time()
    batch.advance(steps)
    return NETS * steps / (time.process_time() - started)


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
    for scene, (name, preset, values, steps) in SCENES.items():
        pairs = [
            (one_after_another(prepared(name, preset, values), steps), at_once(prepared(name, preset, values), steps))
            for _ in range(repeats)
        ]
        ratios = [many / one for one, many in pairs]
        ratio, many = statistics.median(ratios), statistics.median(pair[1] for pair in pairs)
        note = f"{many:.0f} net-steps/s; min {min(ratios):.1f}, max {max(ratios):.1f} of {repeats} pairs"
        what = f"{NETS} nets of {scene} at once, against one after another"
        results.append(Result(what, f"{ratio:.1f}x", "≥ 5x", ratio >= 5, note))
    return results


if __name__ == "__main__":
    for result in measure():
        print(result)
