"""Steps that a GPU plays back, on one that is pretended: played they give what they give when they are called.

The pretended graph has a graph's traps, and the first tests fall into each of them. ``test_devices.py`` runs this in a
process of its own, since torch has one more device here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from lab.engine import LAUNCHED_ONE_BY_ONE, Engine
from lab.models.captured import WARM_UP, Captured
from lab.stream import MemoryRun
from tests import pretended_gpu
from tests.fakes import Tiny
from tests.pretended_gpu import GPURefuses

TAKEN = 8


@pytest.fixture
def device() -> Iterator[torch.device]:
    with pretended_gpu.pretended_gpu() as name:
        yield torch.device(name)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> pretended_gpu.Graphs:
    return pretended_gpu.Graphs(monkeypatch)


class Descent:
    """θ falls by η θ at each step, and says what it was; with faults that only a graph punishes.

    ``turned`` is what is done to it in the midst of the steps.
    """

    def __init__(self, device: torch.device) -> None:
        self.theta, self.before = torch.ones(2).to(device), torch.zeros(2).to(device)
        self.lr, self.lr_there = 0.1, torch.tensor(0.1).to(device)
        self.lr_here = torch.tensor(0.1)
        self.count, self.odd = 0, False
        self.rows = torch.arange(2).to(device)

    def right(self) -> Tensor:
        return self._fall(self.lr_there)

    def a_counter_in_python(self) -> Tensor:
        self.count += 1
        return self._fall(0.1 / self.count)

    def a_branch_in_python(self) -> Tensor:
        self.odd = not self.odd
        return self._fall(0.1 if self.odd else 0.2)

    def a_rate_in_python(self) -> Tensor:
        return self._fall(self.lr)

    def a_rate_in_a_tensor_of_the_processor(self) -> Tensor:
        return self._fall(self.lr_here)

    def rows_of_a_new_tensor(self) -> Tensor:
        return self._fall(self.lr_there * (1 + self.rows))

    def a_name_for_the_new_parameters(self) -> Tensor:
        self.before.copy_(self.theta)
        self.theta = self.theta - self.lr_there * self.theta
        return self.before

    def a_number_asked_for(self) -> Tensor:
        return self._fall(0.1 if float(self.theta[0]) > 0.5 else 0.2)

    def a_copy_to_the_processor(self) -> Tensor:
        return self._fall(self.theta.cpu().mean())

    def _fall(self, rate: Any) -> Tensor:
        self.before.copy_(self.theta)
        self.theta.sub_(rate * self.theta)
        return self.before

    def turn(self) -> None:
        self.lr = 0.3
        self.lr_there.fill_(0.3)
        self.lr_here.fill_(0.3)
        self.rows = 1 - self.rows


def way(device: torch.device, step: str, *, played: bool, forgotten: bool = False) -> tuple[list[Any], str]:
    """θ before each of some steps, with a turn in their midst; and why there is no graph."""
    descent = Descent(device)
    take: Captured[Tensor] | Callable[[], Tensor] = getattr(descent, step)
    captured = Captured(getattr(descent, step), device) if played else None
    values = []
    for index in range(TAKEN):
        if index == TAKEN - 2:
            descent.turn()
            if captured is not None and forgotten:
                captured.forget()
        values.append((take if captured is None else captured)().tolist())
    return values, captured.problem if captured else ""


def test_a_step_in_place_is_played_as_it_is_called(device: torch.device, graphs: pretended_gpu.Graphs):
    assert way(device, "right", played=True) == way(device, "right", played=False)
    assert (graphs.recorded, graphs.played) == (1, TAKEN - WARM_UP)


@pytest.mark.parametrize("fault", ["a_counter_in_python", "a_branch_in_python"])
def test_what_python_does_in_a_step_is_done_once(fault: str, device: torch.device, graphs: pretended_gpu.Graphs):
    wrong, right = way(device, fault, played=True)[0], way(device, fault, played=False)[0]
    assert wrong[: WARM_UP + 2] == right[: WARM_UP + 2]  # the steps as usual, and what the first playing starts from
    assert wrong[WARM_UP + 2 :] != right[WARM_UP + 2 :]


@pytest.mark.parametrize("fault", ["a_rate_in_python", "a_rate_in_a_tensor_of_the_processor"])
def test_a_number_turned_after_recording_is_not_seen_until_it_is_forgotten(
    fault: str, device: torch.device, graphs: pretended_gpu.Graphs
):
    wrong, right = way(device, fault, played=True)[0], way(device, fault, played=False)[0]
    assert wrong[:-1] == right[:-1] and wrong[-1] != right[-1]
    assert way(device, fault, played=True, forgotten=True)[0] == right


@pytest.mark.parametrize("fault", ["rows_of_a_new_tensor", "a_name_for_the_new_parameters"])
def test_memory_that_was_given_back_is_not_played_on(fault: str, device: torch.device, graphs: pretended_gpu.Graphs):
    with pytest.raises(GPURefuses, match="given back"):
        way(device, fault, played=True)


def test_a_tensor_put_in_the_place_of_another_is_not_seen(device: torch.device, graphs: pretended_gpu.Graphs):
    descent = Descent(device)
    captured = Captured(descent.rows_of_a_new_tensor, device)
    first = descent.rows  # somebody keeps it
    values = [captured().tolist() for _ in range(WARM_UP + 1)]
    descent.rows = first + 1
    shrunk = [after / before for after, before in zip(captured().tolist(), values[-1], strict=True)]
    assert shrunk == pytest.approx([0.9, 0.8])


@pytest.mark.parametrize("fault", ["a_number_asked_for", "a_copy_to_the_processor"])
def test_a_step_that_asks_the_device_is_called_and_says_why(
    fault: str, device: torch.device, graphs: pretended_gpu.Graphs
):
    values, problem = way(device, fault, played=True)
    assert values == way(device, fault, played=False)[0] and graphs.played == 0
    assert "not permitted when stream is capturing" in problem


def test_recording_computes_nothing(device: torch.device, graphs: pretended_gpu.Graphs):
    x = torch.ones(2).to(device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        x.add_(1)
        twice = 2 * x
    assert x.tolist() == [1, 1] and twice.isnan().all()
    graph.replay()
    assert x.tolist() == [2, 2] and twice.tolist() == [4, 4]


class Asking(Tiny):
    """Its rate depends on what it asks the device for."""

    def setup(self) -> None:
        self.theta = torch.ones(2, dtype=torch.float64).to(self.device)
        self.update = self.as_graph(self._update)

    def step(self) -> dict[str, Any]:
        return {"train_loss": self.update()}

    def _update(self) -> Tensor:
        loss = self.theta.square().sum() / 2
        self.theta.mul_(0.9 if float(loss) > 0.5 else 0.8)
        return loss


def test_a_run_whose_step_cannot_be_recorded_goes_on_and_says_why_once(
    device: torch.device, graphs: pretended_gpu.Graphs
):
    experiment, run = Asking(Asking.configure(values={"steps": 10}), str(device)), MemoryRun()
    experiment.setup()
    engine = Engine(experiment, run)
    for step in engine:
        if step == 6:
            engine.set_knobs({"lr": 0.05})
    losses = run.series("train_loss")[1]
    assert len(losses) == 10 and losses[1:] == pytest.approx([x * (0.81 if x > 0.5 else 0.64) for x in losses[:-1]])
    assert [line for line in run.lines if line.startswith(LAUNCHED_ONE_BY_ONE)] == [
        f"{LAUNCHED_ONE_BY_ONE}: aten::_local_scalar_dense: operation not permitted when stream is capturing"
    ]
