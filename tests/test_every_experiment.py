"""What must hold for every experiment, over the registry: a few steps of each preset, cheap enough for every change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lab import registry
from lab.engine import Engine
from lab.experiment import Experiment
from lab.schedule import Checkpoints
from lab.stream import MemoryRun
from lab.verdict import Verdict

FOUND, BROKEN = registry.discover()
SETTINGS = [
    pytest.param(cls, preset, arm, id=f"{name}-{preset}-{arm or 'bare'}")
    for name, cls in FOUND.items()
    for preset in cls.presets
    for arm in ("", *cls.arms)
]
PRESETS = [pytest.param(cls, preset, id=f"{name}-{preset}") for name, cls in FOUND.items() for preset in cls.presets]
STEPS = 6


def prepared(cls: type[Experiment], preset: str, arm: str = "") -> Experiment:
    """Set up, with the knobs that make a step cheap; they leave the run comparable, so a verdict is really given."""
    experiment = cls(cls.configure(preset, arm, cls.small))
    experiment.setup()
    return experiment


def finish(experiment: Experiment, steps: int = STEPS, **options: Any) -> tuple[MemoryRun, Engine]:
    run = MemoryRun()
    engine = Engine(experiment, run, **options)
    for step in engine:
        if step >= steps:
            break
    engine.flush()
    return run, engine


def weights(experiment: Experiment) -> list[torch.Tensor]:
    found = []
    for name in experiment.state:
        value = getattr(experiment, name)
        found += [value] if isinstance(value, torch.Tensor) else []
        found += list(value.parameters()) if isinstance(value, torch.nn.Module) else []
    return [tensor.detach().clone() for tensor in found]


def test_no_experiment_file_is_broken():
    assert not BROKEN


@pytest.mark.parametrize("cls", FOUND.values(), ids=list(FOUND))
def test_an_experiment_says_all_that_the_catalogue_shows(cls: type[Experiment]):
    assert all((cls.title, cls.theme, cls.claim, cls.paper, cls.about, cls.views, cls.presets, cls.arms))
    assert {arm.expect for arm in cls.arms.values()} > {"reproduced"}, (
        "an arm that shows it and a control that does not"
    )
    assert len({view.id for view in cls.views}) == len(cls.views)
    known = cls.series()
    for view in cls.views:
        assert set(view.names) <= set(known), f"{view.title} needs a series that nothing records"
    for series in known.values():
        assert series.label


@pytest.mark.parametrize(("cls", "preset", "arm"), SETTINGS)
def test_a_preset_with_an_arm_is_a_valid_config_that_survives_json(cls: type[Experiment], preset: str, arm: str):
    config = cls.configure(preset, arm)
    assert cls.Config.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("name", ["river-valley", "corrupted-grokking", "loss-jump", "grokking-frequency"])
def test_an_arm_of_one_scene_takes_nothing_from_the_preset_of_another(name: str):
    cls = FOUND[name]
    for name, arm in cls.arms.items():
        settings = [cls.configure(preset, name) for preset in cls.presets if preset not in arm.presets]
        assert all(config == settings[0] for config in settings)


@pytest.mark.parametrize(("cls", "preset"), PRESETS)
def test_a_run_records_only_declared_series_and_some_view_has_data(cls: type[Experiment], preset: str):
    run, _ = finish(prepared(cls, preset))
    assert set(run.names()) <= set(cls.series())
    assert all(np.isfinite(run.series(series.name)[1]).all() for series in cls.readings if series.name in run.names())
    assert any(set(view.names) & set(run.names()) for view in cls.views)


@pytest.mark.parametrize(("cls", "preset"), PRESETS)
def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(cls: type[Experiment], preset: str):
    whole, _ = finish(prepared(cls, preset), checkpoints=Checkpoints(STEPS, every=3))
    assert 3 in whole.checkpoints
    rest, _ = finish(prepared(cls, preset), step=3, start=whole.checkpoints[3])
    for name in whole.names():
        step, value = whole.series(name)
        after = step >= 3
        if name not in rest.names():
            assert (step[after] == 3).all(), name  # read at the boundary itself, before the checkpoint was made
            continue
        again, seen = rest.series(name)
        kept = np.isin(step, again)
        np.testing.assert_array_equal(value[kept], seen[np.isin(again, step)], err_msg=name)
        assert set(step[after]) - {3} == set(again) - {3}, name


@pytest.mark.parametrize(("cls", "preset"), PRESETS)
def test_measuring_more_often_changes_no_weight(cls: type[Experiment], preset: str, monkeypatch: pytest.MonkeyPatch):
    sparse, dense = prepared(cls, preset), prepared(cls, preset)
    monkeypatch.setattr("lab.experiment.Instrument.period", lambda self, config: 10**9)
    finish(sparse)
    monkeypatch.setattr("lab.experiment.Instrument.period", lambda self, config: 1)
    finish(dense)
    one, other = weights(sparse), weights(dense)
    assert one
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)  # a network that has diverged has NaN in both


@pytest.mark.parametrize(("cls", "preset"), PRESETS)
def test_a_run_of_a_few_steps_gets_no_verdict_by_accident(cls: type[Experiment], preset: str):
    experiment = prepared(cls, preset)
    run, _ = finish(experiment)
    try:
        verdict = cls.verdict(experiment.config, run)
    except (KeyError, IndexError, ValueError):
        return
    assert isinstance(verdict, Verdict) and verdict.outcome != "reproduced"
