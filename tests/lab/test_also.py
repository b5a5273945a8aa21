from typing import Any

import numpy as np
import pytest
import torch

import lab.also
from lab.also import LEADING, SIDE, AlsoMeasure
from lab.engine import Engine
from lab.experiments.grokking_frequency import GrokkingFrequency
from lab.registry import discover
from lab.schedule import Checkpoints
from lab.stream import MemoryRun


def _experiment(width: int = 6) -> GrokkingFrequency:
    experiment = GrokkingFrequency(GrokkingFrequency.configure(values={"width": width, "depth": 1}))
    experiment.setup()
    return experiment


def test_the_leading_eigenvalues_are_those_of_the_dense_hessian() -> None:
    experiment = _experiment()
    loss, params = experiment.objective()
    flat = torch.cat([p.detach().reshape(-1) for p in params.values()])

    def at(vector: torch.Tensor) -> torch.Tensor:
        parts = vector.split([p.numel() for p in params.values()])
        return loss({name: part.view_as(p) for (name, p), part in zip(params.items(), parts, strict=True)})

    dense = torch.linalg.eigvalsh(torch.autograd.functional.hessian(at, flat)).flip(0).numpy()
    np.testing.assert_allclose(experiment.also_eigenvalues(), dense[:LEADING], rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(experiment.also_sharpness(), dense[0], rtol=2e-3)


def test_the_next_sharpness_starts_from_the_last_one_and_a_resumed_run_reads_the_same_bits() -> None:
    def record(step: int = 0, start: Any = None) -> tuple[MemoryRun, GrokkingFrequency]:
        experiment, memory = _experiment(width=40), MemoryRun()
        plan = Checkpoints(1000, every=20)
        engine = Engine(experiment, memory, step=step, start=start, also=["also_sharpness=10"], checkpoints=plan)
        for taken in engine:
            if taken == 60:
                break
        engine.flush()
        return memory, experiment

    whole, experiment = record()
    again, _ = record(20, whole.checkpoints[20])
    steps, values = whole.series("also_sharpness")
    assert steps.tolist() == [0, 10, 20, 30, 40, 50]
    np.testing.assert_array_equal(again.series("also_sharpness")[1], values[steps > 20])
    warm, cold = experiment._eigenpairs(1, experiment.memory["also_sharpness"]), experiment._eigenpairs(1)
    assert warm.hvps < cold.hvps / 2


def test_the_section_has_the_training_loss_in_its_middle_and_stands_for_the_run() -> None:
    experiment = _experiment()
    values, across, up = experiment.also_landscape()
    expected = float(experiment.step()["train_loss"].detach())
    assert values.shape == (SIDE, SIDE)
    assert (across[SIDE // 2], up[SIDE // 2]) == (0.0, 0.0)
    np.testing.assert_allclose(values[SIDE // 2, SIDE // 2], expected, rtol=1e-5)


OFFERED = {name: cls for name, cls in discover()[0].items() if issubclass(cls, AlsoMeasure)}
ALSO = ("also_sharpness", "also_eigenvalues", "also_landscape")


def _small(cls: type[AlsoMeasure], preset: str) -> AlsoMeasure:
    experiment = cls(cls.configure(preset, values=dict(cls.small) | {"steps": 50}))
    experiment.setup()
    return experiment


def _record(experiment: AlsoMeasure, also: tuple[str, ...]) -> MemoryRun:
    memory = MemoryRun()
    engine = Engine(experiment, memory, also=also)
    for step in engine:
        if step == 3:
            break
    engine.flush()
    return memory


@pytest.mark.parametrize("name", OFFERED)
def test_what_is_also_measured_belongs_to_the_loss_and_leaves_training_alone(name: str, monkeypatch) -> None:
    cls = OFFERED[name]
    monkeypatch.setattr(lab.also, "SIDE", 3)
    monkeypatch.setattr(lab.also, "PRODUCTS", 12)
    monkeypatch.setattr(cls, "also_samples", 4)
    objectives: Any = {preset: _small(cls, preset).objective() for preset in cls.presets}
    preset = next(name for name, found in objectives.items() if found is not None)
    loss, params = objectives[preset]
    run, plain = _record(_small(cls, preset), ALSO), _record(_small(cls, preset), ())
    for series in plain.names():
        np.testing.assert_array_equal(run.series(series)[1], plain.series(series)[1], err_msg=series)
    zero = not any(p.any() for p in params.values())  # then filters have no length to go by
    assert ("also_section" in run.names()) != zero
    if not zero:
        np.testing.assert_allclose(run.series("also_section")[1][0, 1, 1], float(loss(dict(params))), rtol=1e-4)
    assert np.isfinite(run.series("also_sharpness")[1]).all()
    assert (np.diff(run.series("also_eigenvalues")[1][0]) <= 0).all()
    assert cls.also_note or None not in objectives.values(), "nothing says where there is nothing to read"


@pytest.mark.parametrize("cls", [cls for name, cls in discover()[0].items() if name not in OFFERED])
def test_an_experiment_without_them_says_why(cls) -> None:
    assert cls.also_note
