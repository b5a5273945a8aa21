"""Steps played back as a CUDA graph: how many are taken, in which order, and what happens where that cannot be.

A stand-in for torch's graphs shows the order of things on any machine; the GPU itself is in the marked tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch

from lab import registry
from lab.models.captured import WARM_UP, Captured
from lab.models.stacked_condensation import Phases

CUDA, CPU = torch.device("cuda"), torch.device("cpu")


class Counter:
    """A step that adds its gain in place, as training does, and says what it is after that."""

    def __init__(self, graphs: Graphs | None = None) -> None:
        self.value, self.calls, self.graphs = torch.zeros(2), 0, graphs

    def __call__(self) -> torch.Tensor:
        self.calls += 1
        if self.graphs is not None and self.graphs.recording:  # a recorded operation is not carried out
            self.graphs.recorded = self.add
            return self.value
        return self.add()

    def add(self) -> torch.Tensor:
        self.value += torch.tensor([1.0, 10.0])
        return self.value


class Graphs:
    """Torch's graphs as far as a step can tell: what is called while one records is carried out by each playing."""

    def __init__(self, patch: pytest.MonkeyPatch, failing: str = "") -> None:
        self.recording, self.recorded, self.played = False, lambda: None, 0
        patch.setattr(torch.cuda, "CUDAGraph", lambda: self)
        patch.setattr(torch.cuda, "graph", lambda graph, **options: self._record(failing))
        patch.setattr(torch.cuda, "set_stream", lambda stream: None)
        patch.setattr(torch.cuda, "Stream", lambda: self)
        patch.setattr(torch.cuda, "current_stream", lambda: self)
        patch.setattr(torch.cuda, "stream", lambda stream: nullcontext())

    @contextmanager
    def _record(self, failing: str) -> Iterator[None]:
        self.recording = True
        yield
        self.recording = False
        if failing:
            raise RuntimeError(failing)

    def wait_stream(self, stream: Any) -> None: ...

    def replay(self) -> None:
        self.played += 1
        self.recorded()


def counted(steps: int) -> list[list[float]]:
    return [[float(n), 10.0 * n] for n in range(1, steps + 1)]


def test_on_the_processor_a_step_is_called_as_often_as_asked():
    step = Counter()
    captured = Captured(step, CPU)
    assert captured.take(4).tolist() + captured.take(3).tolist() == counted(7)
    assert step.calls == 7 and captured.take(0).numel() == 0


@pytest.mark.parametrize("leaps", [[10], [1] * 10, [2, 5, 3], [WARM_UP, 7]])
def test_a_recorded_step_is_taken_as_often_as_asked(leaps: list[int], monkeypatch: pytest.MonkeyPatch):
    graphs = Graphs(monkeypatch)
    step = Counter(graphs)
    captured = Captured(step, CUDA)
    rows = [row for leap in leaps for row in captured.take(leap).tolist()]
    assert rows == counted(10)
    assert step.calls == WARM_UP + 1 and graphs.played == 10 - WARM_UP


def test_a_step_that_cannot_be_recorded_is_called_and_says_why(monkeypatch: pytest.MonkeyPatch):
    graphs = Graphs(monkeypatch, failing="operation not permitted when stream is capturing\nand more")
    step = Counter(graphs)
    captured = Captured(step, CUDA)
    assert captured.take(10).tolist() == counted(10) and graphs.played == 0
    assert captured.problem == "operation not permitted when stream is capturing"


def members(count: int, device: str = "cpu", preset: str = "phase", **values: Any) -> list[Any]:
    cls = registry.experiment("condensation")
    found = [cls(cls.configure(preset, values={**values, "seed": seed}), device) for seed in range(count)]
    for member in found:
        member.setup()
    return found


def test_networks_stepped_all_at_once_are_those_stepped_while_they_are_unfitted():
    settings = {"widths": "20 40", "steps": 900, "gamma": 0.5}
    fitted = 2e-4  # some get there within these steps and others do not
    whole, fewer = (Phases(members(4, **settings), fitted) for _ in range(2))
    rows = torch.stack([whole.step_all().clone() for _ in range(300)])
    compact = fewer.step_unfitted(300)
    assert 0 < int((rows[-1] < fitted).sum()) < rows[-1].numel()
    torch.testing.assert_close(rows, compact, rtol=1e-9, atol=0)
    for one, other in zip(whole.stacks, fewer.stacks, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    ("name", "preset", "values"),
    [
        ("condensation", "start", {}),
        ("condensation", "phase", {"widths": "20 40"}),
        ("corrupted-grokking", "demo", {"p": 23, "width": 60}),
    ],
)
def test_a_batch_on_the_gpu_is_a_graph_and_agrees_with_the_processor(name: str, preset: str, values: dict[str, Any]):
    cls = registry.experiment(name)
    rows = []
    for device in ("cpu", "cuda"):
        found = [cls(cls.configure(preset, values={**values, "seed": seed}), device) for seed in range(3)]
        for member in found:
            member.setup()
        batch = cls.batch(found)
        rows.append([batch.advance(20), batch.advance(20)])
        assert batch.captured.problem == ""
    for cpu, gpu in zip(*rows, strict=True):
        for one, other in zip(cpu, gpu, strict=True):
            for series in one:
                torch.testing.assert_close(
                    torch.as_tensor(other[series]), torch.as_tensor(one[series]), rtol=1e-3, atol=1e-6
                )
