import queue
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import lab.also
from lab.also import LEADING, SIDE, AlsoMeasure
from lab.config import ConfigError
from lab.engine import Engine
from lab.experiment import UnreadableError
from lab.experiments.grokking_frequency import GrokkingFrequency
from lab.hosts.link import Outbox, QueueLink
from lab.hosts.measure import measure, readings
from lab.hosts.run import Run, execute
from lab.measures.directions import flatten
from lab.planes import along_update
from lab.registry import discover
from lab.request import Request
from lab.schedule import Checkpoints
from lab.state import restore
from lab.stream import MemoryRun
from storage.reader import RunReader


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
ALSO = (
    "also_sharpness",
    "also_eigenvalues",
    "also_landscape",
    "also_eigenvector_plane",
    "also_update_plane",
)


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
    for plane in ("eigen", "update"):  # the middle of both is θ itself
        name = f"also_{plane}_section"
        if name in run.names():
            np.testing.assert_allclose(run.series(name)[1][0, 1, 1], float(loss(dict(params))), rtol=1e-4)
    assert len(params) == 1 or "also_eigen_section" in run.names()
    assert np.isfinite(run.series("also_sharpness")[1]).all()
    assert (np.diff(run.series("also_eigenvalues")[1][0]) <= 0).all()
    assert cls.also_note or None not in objectives.values(), "nothing says where there is nothing to read"


@pytest.mark.parametrize("cls", [cls for name, cls in discover()[0].items() if name not in OFFERED])
def test_an_experiment_without_them_says_why(cls) -> None:
    assert cls.also_note


class _Stored:
    """Checkpoints of a run in memory."""

    def __init__(self, states) -> None:
        self.states = states

    def checkpoints(self):
        return sorted(self.states)

    def checkpoint(self, step: int):
        return self.states[step]


def _run_with_checkpoints(steps: int = 40, every: int = 10) -> tuple[dict[int, Any], GrokkingFrequency]:
    experiment, memory = _experiment(), MemoryRun()
    engine = Engine(experiment, memory, checkpoints=Checkpoints(1000, every=every))
    for taken in engine:
        if taken == steps:
            break
    engine.checkpoint()
    return memory.checkpoints, experiment


def _loss_of(state: Any) -> float:
    twin = _experiment()
    restore(twin, state)
    loss, params = twin.objective()
    return float(loss(params))


def _value_at(picture: Any, x: float, y: float) -> float:
    """Linear interpolation in the picture: first axis up, second across."""
    values, across, up = picture
    column = [np.interp(x, across, row) for row in values]
    return float(np.interp(y, up, column))


def test_the_plane_of_the_path_and_of_three_checkpoints_hold_the_losses_of_the_run() -> None:
    states, experiment = _run_with_checkpoints()
    experiment.stored, experiment.now = _Stored(states), 40
    path = experiment.also_path_plane()
    assert _value_at(path, 0, 0) == pytest.approx(_loss_of(states[40]), rel=0.02)  # θ is the origin
    three = experiment.also_checkpoint_plane()
    assert _value_at(three, 0, 0) == pytest.approx(_loss_of(states[0]), rel=0.02)  # the first one is
    experiment.chosen = {"also_checkpoint_plane": (20, 0, 40)}
    assert _value_at(experiment.also_checkpoint_plane(), 0, 0) == pytest.approx(_loss_of(states[20]), rel=0.02)


def test_the_plane_of_the_update_holds_the_loss_after_the_run_s_own_next_step() -> None:
    states, _ = _run_with_checkpoints(41, every=1)
    twin = _experiment()
    restore(twin, states[40])
    twin.now = 40
    loss, params = twin.objective()
    plane, _ = along_update(loss, params, twin._twin(states[40], step=True))
    after = _experiment()
    restore(after, states[41])
    where, outside = plane.project(flatten(after.objective()[1])[None])
    assert outside[0] < 1e-6
    picture = twin.also_update_plane()
    assert _value_at(picture, *where[0]) == pytest.approx(_loss_of(states[41]), rel=0.02)


def test_a_plane_that_does_not_exist_says_why() -> None:
    experiment = _experiment()
    with pytest.raises(UnreadableError, match="needs two checkpoints before this step, and there are 0"):
        experiment.also_path_plane()
    states, experiment = _run_with_checkpoints()
    experiment.stored, experiment.chosen = _Stored(states), {"also_checkpoint_plane": (0, 15, 40)}
    experiment.now = 40
    with pytest.raises(UnreadableError, match="the run has no checkpoint at step 15"):
        experiment.also_checkpoint_plane()
    same = dict.fromkeys(states, states[0])
    experiment.stored, experiment.chosen = _Stored(same), {}
    with pytest.raises(UnreadableError, match="lie on one line"):
        experiment.also_checkpoint_plane()
    loss, params = experiment.objective()
    leaves = [p.requires_grad_() for p in params.values()]
    gradient = torch.autograd.grad(loss(params), leaves)
    after = {name: p.detach() - 0.1 * g for (name, p), g in zip(params.items(), gradient, strict=True)}
    with pytest.raises(UnreadableError, match="as in plain gradient descent"):
        along_update(loss, params, after)


def test_a_run_goes_on_without_a_plane_and_its_log_says_why_once() -> None:
    memory = MemoryRun()
    engine = Engine(_experiment(), memory, also=["also_path_plane=2"])
    for step in engine:
        if step == 9:
            break
    why = "a plane needs two checkpoints before this step, and there are 0"
    assert memory.lines == [f"step 0: Landscape: plane of the path was not read: {why}"]


def test_afterwards_a_plane_is_read_where_it_exists_and_refused_where_it_exists_nowhere() -> None:
    states, experiment = _run_with_checkpoints()
    cls, name = type(experiment), "also_checkpoint_plane@0,20,40"
    rows = readings(cls, "cpu", [name], states.items(), _Stored(states))
    assert rows["also_checkpoint_section"][0] == [0, 10, 20, 30, 40]
    with pytest.raises(ConfigError, match="also_checkpoint_plane: the run has no checkpoint at step 21"):
        readings(cls, "cpu", [name.replace("20", "21")], states.items(), _Stored(states))


def test_afterwards_a_path_is_computed_again_where_checkpoints_are_few(tmp_path) -> None:
    config = GrokkingFrequency.configure(values={"width": 6, "depth": 1, "steps": 30}).model_dump(mode="json")
    request = Request(experiment="grokking-frequency", config=config, out=str(tmp_path / "run.h5"))
    assert execute(request, QueueLink(queue.Queue(), lambda messages: None)) == ("finished", "")
    with RunReader(request.out) as reader:
        assert reader.checkpoints() == [0, 30]
    measure(replace(request, also=("also_path_plane", "also_checkpoint_plane@0,11,30")), at=[30])
    with RunReader(request.out) as reader:
        assert reader.series("also_path_section")[0].tolist() == [30]
        assert reader.series("also_checkpoint_section")[0].tolist() == [30]


def test_a_replay_sees_the_path_through_the_same_checkpoints_though_its_clock_is_another(tmp_path) -> None:
    config = GrokkingFrequency.configure(values={"width": 6, "depth": 1, "steps": 30}).model_dump(mode="json")
    also = ("also_path_plane=10",)
    first = Request(experiment="grokking-frequency", config=config, out=str(tmp_path / "run.h5"), also=also)
    link = QueueLink(queue.Queue(), lambda messages: None)
    assert Run(first, link, Outbox(link), Checkpoints(30, every=4)).drive() == ("finished", "")
    with RunReader(first.out) as reader:
        stored_at, events = tuple(reader.checkpoints()), tuple(reader.events())
    second = replace(first, out=str(tmp_path / "again.h5"), replay=events, again=True, stored_at=stored_at)
    assert execute(second, link) == ("finished", "")
    with RunReader(first.out) as before, RunReader(second.out) as after:
        for name in ("also_path_section", "also_path_across", "also_path_up"):
            steps, values = before.series(name)
            assert steps.tolist() == [10, 20, 30]
            np.testing.assert_array_equal(after.series(name)[0], steps)
            np.testing.assert_array_equal(after.series(name)[1], values)
