"""Every preset on a GPU beside the CPU: the same few steps, every reading that a verdict counts on.

Arithmetic in another order rounds otherwise, so a series may be off by TOLERANCE of its largest value; an accuracy by
two samples of a hundred, since a prediction may tip over.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lab import registry
from lab.engine import LAUNCHED_ONE_BY_ONE, Engine
from lab.experiment import Experiment
from lab.stream import MemoryRun

FOUND, _ = registry.discover()
PRESETS = [pytest.param(cls, preset, id=f"{name}-{preset}") for name, cls in FOUND.items() for preset in cls.presets]
STEPS, PLAYED = 4, 12
SMALL = {"condensation", "corrupted-grokking", "grokking-frequency", "loss-jump", "optimistic-estimate"}
TOLERANCE = 2e-3
TIPPED = 0.02
ROUNDING = 1e8  # larger ratios of singular values have a rounding error below


def short_run(cls: type[Experiment], preset: str, device: str, steps: int = STEPS, **values: Any) -> MemoryRun:
    """The first steps of a preset, made cheap; in their midst every live rate is halved."""
    often = {"record_every": 1} if "record_every" in cls.Config.knobs() else {}
    experiment = cls(cls.configure(preset, values={**cls.small, **often, **values}), device)
    experiment.setup()
    run = MemoryRun()
    engine = Engine(experiment, run)
    for step in engine:
        if step == steps // 2 and (knob := cls.Config.knobs().get("lr")) and knob.live:
            engine.set_knobs({"lr": experiment.config.lr / 2})
        if step >= steps:
            break
    engine.flush()
    return run


def counted_on(cls: type[Experiment]) -> set[str]:
    """Series that verdicts read: what a step returns, and exact instruments."""
    exact = (series.name for item in cls.instruments() if item.exact for series in item.series)
    return {*(series.name for series in cls.readings), *exact}


def apart(cls: type[Experiment], one: MemoryRun, other: MemoryRun) -> dict[str, float]:
    """Series that the two runs do not agree on, and how far they are apart, over what is allowed."""
    assert set(one.names()) == set(other.names())
    found = {}
    for name in counted_on(cls) & set(one.names()):
        (step, a), (again, b) = one.series(name), other.series(name)
        np.testing.assert_array_equal(step, again)
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b), err_msg=name)
        a, b = (np.minimum(np.where(np.isfinite(part), part, 0), ROUNDING).astype(float) for part in (a, b))
        allowed = TIPPED if "accurac" in name else TOLERANCE * np.abs(a).max(initial=0) + 1e-9
        far = float(np.abs(a - b).max(initial=0)) / allowed
        if far > 1:
            found[name] = far
    return found


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("cls", "preset"), PRESETS)
def test_a_run_on_the_gpu_reads_what_one_on_the_cpu_does(cls: type[Experiment], preset: str):
    assert apart(cls, short_run(cls, preset, "cpu"), short_run(cls, preset, "cuda")) == {}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("cls", "preset"), [case for case in PRESETS if case.id and case.id.startswith(tuple(SMALL))])
def test_a_run_played_from_graphs_on_the_gpu_reads_what_it_does_without_and_what_the_cpu_does(
    cls: type[Experiment], preset: str, monkeypatch: pytest.MonkeyPatch
):
    played, here = (short_run(cls, preset, device, PLAYED) for device in ("cuda", "cpu"))
    monkeypatch.setattr("lab.models.captured.WARM_UP", PLAYED)  # so that it is never recorded
    called = short_run(cls, preset, "cuda", PLAYED)
    assert apart(cls, called, played) == {} and apart(cls, here, played) == {}
    assert not [line for line in played.lines if line.startswith(LAUNCHED_ONE_BY_ONE)]


@pytest.mark.parametrize("cls", FOUND.values(), ids=list(FOUND))
def test_the_comparison_accepts_the_same_run_and_tells_another_seed_apart(cls: type[Experiment]):
    preset = next(iter(cls.presets))
    run = short_run(cls, preset, "cpu", seed=1)
    assert apart(cls, run, short_run(cls, preset, "cpu", seed=1)) == {}
    assert apart(cls, run, short_run(cls, preset, "cpu", seed=2)) != {}
