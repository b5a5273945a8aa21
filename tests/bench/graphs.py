"""One small network on a GPU: its steps played from a captured graph against the same steps launched one by one."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any
from unittest import mock

import torch

from lab import registry
from lab.models.captured import WARM_UP
from tests.bench.many import seconds
from tests.bench.table import Result

STEPS, NEVER = 1000, 10**9
SCENES: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "condensation (start)": ("condensation", "start", {"steps": 10_000}),
    "condensation (dropout)": ("condensation", "dropout", {"steps": 10_000}),
    "condensation (phase)": ("condensation", "phase", {"steps": 10_000}),
    "grokking-frequency (demo)": ("grokking-frequency", "demo", {"steps": 10_000}),
    "loss-jump (demo)": ("loss-jump", "demo", {"record_every": 10_000}),
    "optimistic-estimate (matrix)": ("optimistic-estimate", "matrix", {"steps": 10_000}),
    "optimistic-estimate (cnn)": ("optimistic-estimate", "cnn", {"steps": 10_000}),
    "corrupted-grokking (demo)": ("corrupted-grokking", "demo", {"steps": 10_000}),
}
"""Experiment, preset and settings."""
NOTE = "" if torch.cuda.is_available() else "Not measured: this machine has no GPU."


def measure(repeats: int = 5, device: str = "cuda", steps: int = STEPS) -> list[Result]:
    if device == "cuda" and not torch.cuda.is_available():
        return []
    return [played_against_launched(scene, device, steps, repeats) for scene in SCENES]


def played_against_launched(scene: str, device: str, steps: int, repeats: int) -> Result:
    pairs = [[steps_a_second(scene, device, steps, before) for before in (WARM_UP, NEVER)] for _ in range(repeats)]
    ratios = [played / launched for played, launched in pairs]
    ratio, played = statistics.median(ratios), statistics.median(played for played, _ in pairs)
    note = f"{played:.0f} steps/s; min {min(ratios):.1f}, max {max(ratios):.1f} of {repeats} pairs"
    return Result(f"{scene}, played against launched", f"{ratio:.1f}x", "≥ 1x", ratio >= 1, note)


def steps_a_second(scene: str, device: str, steps: int, before: int) -> float:
    """Of a net that is recorded after ``before`` steps."""
    name, preset, values = SCENES[scene]
    cls = registry.experiment(name)
    with mock.patch("lab.models.captured.WARM_UP", before):
        experiment = cls(cls.configure(preset, values=values), device)
        experiment.setup()

    def take(count: int) -> None:
        for _ in range(count):
            experiment.step()
            experiment.now += 1

    take(WARM_UP + 1)  # the graph is recorded by then
    return steps / seconds(lambda: take(steps), experiment.device)
