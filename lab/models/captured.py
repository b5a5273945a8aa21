"""Training steps of fixed shapes, recorded once as a CUDA graph and played back. Elsewhere they are simply called.

A step of a small network is a hundred kernels that each take less time than Python needs to launch them; a graph
launches them all at once. What a step reads and writes must stay where it is, and it must never ask the device for
a number.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3  # steps taken as usual first: libraries choose and allocate then, which no graph may contain


class Captured:
    """A step that is taken many times.

    Args:
        step: Updates its tensors in place; returns readings of one shape at every call.
        device: Where its tensors are.

    Attributes:
        problem: Why the step could not be recorded; it is called as usual then.
    """

    def __init__(self, step: Callable[[], Tensor], device: torch.device) -> None:
        self._step = step
        self._graph: torch.cuda.CUDAGraph | None = None
        self._before = WARM_UP if device.type == "cuda" else -1  # steps until it is recorded; -1: never
        self._readings = torch.empty(0)
        self.problem = ""

    def take(self, steps: int) -> Tensor:
        """The readings of ``steps`` steps, shape (steps, ...)."""
        rows: Tensor | None = None
        for index in range(steps):
            readings = self._take_one()
            rows = readings.new_empty((steps, *readings.shape)) if rows is None else rows
            rows[index] = readings
        return torch.empty(0) if rows is None else rows

    def _take_one(self) -> Tensor:
        if self._before == 0:
            self._record()
        if self._graph is not None:
            self._graph.replay()
            return self._readings
        if self._before < 0:
            return self._step()
        self._before -= 1
        aside = torch.cuda.Stream()  # recording needs a stream that is not the default one, warmed up alike
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            readings = self._step()
        torch.cuda.current_stream().wait_stream(aside)
        return readings

    def _record(self) -> None:
        """Nothing is computed meanwhile; the first playing takes the first step."""
        self._before = -1
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._readings = self._step()
        except RuntimeError as error:
            self.problem = str(error).splitlines()[0]
            return
        self._graph = graph
