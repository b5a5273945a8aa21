"""Every preset on a GPU that is pretended: nothing mixes devices, and every reading is that of the processor.

What was done to a run counts too: every action, every live knob, a checkpoint that it goes on from, previews, optional
measurements, and the batches of studies with their recorded steps. ``test_devices.py`` runs this in a process of its
own, since torch has one more device here.
"""

from __future__ import annotations

import inspect
import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import lab.also
from lab import registry
from lab.config import ConfigError, Knob
from lab.engine import ACTS, Engine
from lab.experiment import Experiment
from lab.hosts.preview import preview
from lab.models.captured import WARM_UP, Captured
from lab.schedule import Checkpoints
from lab.stream import MemoryRun
from tests import pretended_gpu
from tests.lab.experiments.test_on_gpu import ROUNDING, TOLERANCE
from tests.pretended_gpu import GPURefuses

FOUND, _ = registry.discover()
PRESETS = [pytest.param(cls, preset, id=f"{name}-{preset}") for name, cls in FOUND.items() for preset in cls.presets]
DECODER = {"width": 32, "mlp_width": 16, "layers": 2, "train_size": 1000, "test_size": 50, "batch": 10}
LIGHT: dict[str, dict[str, Any]] = {  # knobs with which everything at once is cheap
    "adam-spikes": {"samples": 40, "width": 8, "batch": 20, "layers": 1},
    "anchor-function": DECODER,
    "matching-reasoning": {**DECODER, "token_high": 60},
}
FEW: dict[str, tuple[str, ...]] = {  # optional instruments where second derivatives of attention take seconds each here
    "anchor-function": ("causal_effect",),
    "matching-reasoning": ("also_sharpness", "also_landscape"),
}
PLACE = {"layer": 0, "head": 0, "target": 1, "source": 0}  # arguments of actions that have no default


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.experiment.Instrument.period", lambda self, config: 2)
    monkeypatch.setattr(lab.also, "SIDE", 3)
    monkeypatch.setattr(lab.also, "PRODUCTS", 8)
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)  # which tensors with a Python side cannot enter


def turned(knob: Knob, value: Any) -> Any:
    """Another value of a knob, near its own."""
    if knob.choices:
        return knob.choices[(knob.choices.index(value) + 1) % len(knob.choices)]
    if knob.kind == "bool":
        return not value
    if knob.kind == "int":
        return value + 1 if knob.max is None or value < knob.max else value - 1
    return value * 0.9 if value else (knob.max or 1.0) / 10


def light(cls: type[Experiment], preset: str, **values: Any) -> Any:
    return cls.configure(preset, values={**cls.small, **LIGHT.get(cls.name, {}), "measure_budget": 1.0, **values})


def done(run: MemoryRun) -> list[Any]:
    return [(event["step"], event["payload"]) for event in run.events() if event["kind"] in ACTS]


def interfere(engine: Engine) -> None:
    """Do every action and turn every live knob; what cannot be done here is refused in words."""
    experiment = engine.experiment
    for action in experiment.actions():
        wanted = inspect.signature(getattr(experiment, action.method)).parameters.values()
        arguments = {p.name: PLACE[p.name] for p in wanted if p.default is p.empty}
        try:
            engine.act(action.method, arguments)
        except ConfigError:
            continue
    for name, knob in experiment.Config.knobs().items():
        if knob.live and knob.kind != "text":
            try:
                engine.set_knobs({name: turned(knob, getattr(experiment.config, name))})
            except ConfigError:
                continue


def whole_life(
    cls: type[Experiment],
    preset: str,
    device: str,
    *,
    ends: tuple[int, ...] = (2, 4),
    turn: int = 1,
    optional: bool = True,
    **values: Any,
) -> MemoryRun:
    """Steps with all that can be read and, after ``turn`` of them, done; left at checkpoints and taken up again."""
    config = light(cls, preset, **values)
    also = [item.method for item in cls.instruments() if item.optional]
    first = optional and preset == next(iter(cls.presets))  # what is optional is the same in each
    also = [name for name in also if first and name in FEW.get(cls.name, also)]
    run = MemoryRun()
    stored: Any = SimpleNamespace(checkpoints=lambda: sorted(run.checkpoints), checkpoint=run.checkpoints.get)
    begin: dict[str, Any] = {}
    for end in ends:
        experiment = cls(config, device)
        experiment.stored = stored
        experiment.setup()
        engine = Engine(experiment, run, also=also, checkpoints=Checkpoints(1000, every=1), **begin)
        for step in engine:
            if step == turn:
                interfere(engine)
            if step == end:
                break
        engine.checkpoint()
        config, begin = experiment.config, {"step": end, "start": run.checkpoints[end], "history": run}
    return run


@pytest.mark.parametrize(("cls", "preset"), PRESETS)
def test_a_preset_does_on_a_gpu_what_it_does_here(cls: type[Experiment], preset: str):
    here = whole_life(cls, preset, "cpu")
    with pretended_gpu.pretended_gpu() as device:
        there = whole_life(cls, preset, device)
    assert set(here.names()) == set(there.names())
    for name in here.names():
        for one, other in zip(here.series(name), there.series(name), strict=True):
            np.testing.assert_allclose(
                np.minimum(other, ROUNDING), np.minimum(one, ROUNDING), TOLERANCE, 1e-6, err_msg=name
            )
    assert done(here) == done(there)


@pytest.mark.parametrize(
    ("name", "preset", "values"),
    [
        ("condensation", "start", {}),
        ("condensation", "dropout", {"batch": 4}),
        ("condensation", "phase", {"widths": "20 40"}),
        ("corrupted-grokking", "demo", {"batch": 64, "batch_norm": True, "dropout": 0.1}),
        ("corrupted-grokking", "map", {}),
        ("grokking-frequency", "demo", {}),
        ("grokking-frequency", "images", {"samples": 200, "batch": 50, "width": 50}),
        ("loss-jump", "demo", {"switch_step": 2}),
        ("optimistic-estimate", "matrix", {}),
        ("optimistic-estimate", "cnn", {"stop": 0.5}),
    ],
)
def test_a_run_played_from_graphs_goes_where_it_goes_without(
    name: str, preset: str, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    graphs, cls = pretended_gpu.Graphs(monkeypatch), registry.experiment(name)
    life: Any = {"ends": (8, 12), "turn": 4, "optional": False, **values}
    here = whole_life(cls, preset, "cpu", **life)
    with pretended_gpu.pretended_gpu() as device:
        monkeypatch.setattr("lab.models.captured.WARM_UP", 1)
        played = whole_life(cls, preset, device, **life)
        assert graphs.recorded >= 3 and graphs.played == 12 - graphs.recorded  # from the start, the turn, the restart
        monkeypatch.setattr("lab.models.captured.WARM_UP", 1000)
        called = whole_life(cls, preset, device, **life)
    for series in here.names():
        for one, other, same in zip(here.series(series), played.series(series), called.series(series), strict=True):
            np.testing.assert_array_equal(other, same, err_msg=series)
            np.testing.assert_allclose(
                np.minimum(other, ROUNDING), np.minimum(one, ROUNDING), TOLERANCE, 1e-6, err_msg=series
            )
    assert done(here) == done(played) == done(called)


@pytest.mark.parametrize("name", ["optimistic-estimate", "loss-jump"])
def test_a_run_goes_on_on_the_other_device(name: str, monkeypatch: pytest.MonkeyPatch):
    pretended_gpu.Graphs(monkeypatch)
    cls = registry.experiment(name)
    config = light(cls, {"optimistic-estimate": "cnn", "loss-jump": "demo"}[name])

    def run(device: str, begin: dict[str, Any]) -> MemoryRun:
        experiment, run = cls(config, device), MemoryRun()
        experiment.setup()
        engine = Engine(experiment, run, checkpoints=Checkpoints(1000, every=1), **begin)
        for _ in zip(engine, range(6), strict=False):
            pass
        engine.checkpoint()
        return run

    with pretended_gpu.pretended_gpu() as gpu:
        lives = []
        for first, second in itertools.product(("cpu", gpu), repeat=2):
            state = run(first, {}).checkpoints[6]
            lives.append(run(second, {"step": 6, "start": state}).series("train_loss")[1])
    for life in lives[1:]:
        np.testing.assert_allclose(life, lives[0], 1e-5)


@pytest.mark.parametrize("cls", [cls for cls in FOUND.values() if cls.previews], ids=lambda cls: cls.name)
def test_a_preview_on_a_gpu_is_that_of_the_processor(cls: type[Experiment]):
    for preset in cls.presets:
        config = light(cls, preset)
        here = preview(cls, config)
        with pretended_gpu.pretended_gpu() as device:
            there = preview(cls, config, device)
        for name in here.names():
            np.testing.assert_array_equal(there.series(name)[1], here.series(name)[1], err_msg=name)


@pytest.mark.parametrize(
    ("name", "preset", "values"),
    [
        ("condensation", "start", {}),
        ("condensation", "phase", {"widths": "20 40"}),
        ("corrupted-grokking", "demo", {"p": 23, "width": 60}),
    ],
)
def test_a_batch_recorded_as_a_graph_goes_where_one_of_the_processor_goes(
    name: str, preset: str, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    cls = registry.experiment(name)

    def batch(device: str) -> Any:
        found = [cls(cls.configure(preset, values={**values, "seed": seed}), device) for seed in range(3)]
        for member in found:
            member.setup()
        return cls.batch(found)

    plain = batch("cpu")
    here = [plain.advance(9), plain.advance(4)]
    graphs = pretended_gpu.Graphs(monkeypatch)
    with pretended_gpu.pretended_gpu() as device:
        played = batch(device)
        there = [played.advance(9), played.advance(4)]
    assert played.captured.problem == "" and graphs.played == 13 - WARM_UP
    for one, other in zip(itertools.chain(*here), itertools.chain(*there), strict=True):
        for series in one:
            np.testing.assert_allclose(other[series], one[series], rtol=1e-5, atol=1e-9)


def faults() -> dict[str, Any]:
    """Mistakes that pass on the processor, each as a function of a tensor there."""
    generator = torch.Generator()
    return {
        "a vector of the other device": lambda x: x + torch.ones(3),
        "a table of the other device": lambda x: torch.ones(5, 3)[x.long()],
        "an array of what is there": lambda x: np.asarray(x),
        "a product with a matrix here": lambda x: torch.eye(3) @ x,
        "a draw there by a generator here": lambda x: torch.randn(3, generator=generator, device=x.device),
        "a draw into it": lambda x: x.normal_(),
        "a product of integers": lambda x: x.long()[None] @ x.long()[:, None],
        "something stacked from both": lambda x: torch.stack([x.sum(), torch.tensor(1.0)]),
    }


@pytest.mark.parametrize("fault", faults())
def test_the_pretended_gpu_refuses_what_a_gpu_would(fault: str):
    with pretended_gpu.pretended_gpu() as device:
        x = torch.zeros(3).to(device)
        assert (x + torch.tensor(1.0)).tolist() == [1, 1, 1] and x[torch.tensor([0])].cpu().numpy() == 0
        with pytest.raises((GPURefuses, RuntimeError, TypeError)):
            faults()[fault](x)


def test_a_step_that_asks_for_a_number_cannot_be_recorded(monkeypatch: pytest.MonkeyPatch):
    pretended_gpu.Graphs(monkeypatch)
    with pretended_gpu.pretended_gpu() as device:
        value = torch.zeros(2).to(device)

        def step() -> torch.Tensor:
            return value.add_(1 if float(value[0]) >= 0 else 0)

        captured = Captured(step, value.device)
        assert captured.take(6)[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert "not permitted when stream is capturing" in captured.problem
