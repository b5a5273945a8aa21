"""Many small networks at once against one after another: net-steps per second of the same training, one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

import torch

from lab.experiments.condensation import Condensation
from tests.bench.table import Result

NETS = 32
SCENES: Mapping[str, tuple[str, dict[str, Any], int]] = {
    "start": ("start", {"steps": 10_000}, 40),
    "phase": ("phase", {"steps": 10_000, "widths": "30 100 300", "gamma": 1.5}, 100),
}


def prepared(preset: str, values: Mapping[str, Any]) -> list[Condensation]:
    members = [Condensation(Condensation.configure(preset, values={**values, "seed": seed})) for seed in range(NETS)]
    for member in members:
        member.setup()
    return members


def one_after_another(members: list[Condensation], steps: int) -> float:
    started = time.process_time()
    for member in members:
        for _ in range(steps):
            member.step()
    return NETS * steps / (time.process_time() - started)


def at_once(members: list[Condensation], steps: int) -> float:
    batch = Condensation.batch(members)
    started = time.process_time()
    batch.advance(steps)
    return NETS * steps / (time.process_time() - started)


def measure(repeats: int = 5) -> list[Result]:
    torch.set_num_threads(1)
    results = []
    for scene, (preset, values, steps) in SCENES.items():
        pairs = [
            (one_after_another(prepared(preset, values), steps), at_once(prepared(preset, values), steps))
            for _ in range(repeats)
        ]
        ratios = [many / one for one, many in pairs]
        ratio, many = statistics.median(ratios), statistics.median(pair[1] for pair in pairs)
        note = f"{many:.0f} net-steps/s; min {min(ratios):.1f}, max {max(ratios):.1f} of {repeats} pairs"
        what = f"{NETS} nets of condensation ({scene}) at once, against one after another"
        results.append(Result(what, f"{ratio:.1f}x", "≥ 5x", ratio >= 5, note))
    return results


if __name__ == "__main__":
    for result in measure():
        print(result)
