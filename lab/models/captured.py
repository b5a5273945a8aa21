"""Training steps of fixed shapes, recorded once as a CUDA graph and played back. Elsewhere they are simply called.

A step of a small network is a hundred kernels that each take less time than Python needs to launch them; a graph
launches them all at once. What a step reads and writes must stay where it is, it must never ask the device for a
number, and its Python, with every number in it, is run for the recording alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

PLAYS = "cuda"  # the kind of device that plays graphs
WARM_UP = 3  # steps taken as usual first: libraries choose and allocate then, which no graph may contain

Readings = TypeVar("Readings")


class Captured(Generic[Readings]):
    """A step that is taken many times.

    Args:
        step: Updates its tensors in place; returns readings of one shape at every call, without their graph. What
            changes from step to step, a batch or a draw, are its arguments.
        device: Where its tensors are.

    Attributes:
        problem: Why the step could not be recorded; it is called as usual then.
    """

    def __init__(self, step: Callable[..., Readings], device: torch.device) -> None:
        self._step, self._device = step, device
        self._simply = device.type == "cpu"  # asked once: torch takes a microsecond to spell a device's name
        self._plays = device.type == PLAYS
        self._before = WARM_UP  # steps until it is recorded
        self._graph: torch.cuda.CUDAGraph | None = None
        self._readings: Readings | None = None
        self._inputs: list[Tensor | None] = []  # where a graph reads them
        self.problem = ""

    def __call__(self, *inputs: Tensor | None) -> Readings:
        """Take a step.

        Args:
            inputs: Tensors of any device, or None; of the shapes of the last step, or else it is recorded anew.

        Returns:
            Its readings. On a GPU they stay where they are, and the next step writes over them.
        """
        if self._simply:
            return self._step(*inputs)
        self._put(inputs)
        if self._plays and self._before == 0 and self._graph is None:
            self._record()
        if self._graph is not None and self._readings is not None:
            self._graph.replay()
            return self._readings
        if not self._plays:
            return self._step(*self._inputs)
        self._before -= 1
        aside = torch.cuda.Stream()  # recording needs a stream that is not the default one, warmed up alike
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            readings = self._step(*self._inputs)
        torch.cuda.current_stream().wait_stream(aside)
        return readings

    def take(self: Captured[Tensor], steps: int) -> Tensor:
        """The readings of ``steps`` steps, shape (steps, ...)."""
        rows: Tensor | None = None
        for index in range(steps):
            readings = self()
            rows = readings.new_empty((steps, *readings.shape)) if rows is None else rows
            rows[index] = readings
        return torch.empty(0) if rows is None else rows

    def forget(self) -> None:
        """Record anew before long, since a number, a shape or the place of a tensor may be another one by now."""
        self._before, self._graph, self._readings = WARM_UP, None, None

    def _put(self, inputs: Sequence[Tensor | None]) -> None:
        if [_kind(now) for now in inputs] != [_kind(before) for before in self._inputs]:
            self.forget()
            self._inputs = [now if now is None else now.detach().to(self._device, copy=True) for now in inputs]
            return
        for place, now in zip(self._inputs, inputs, strict=True):
            if place is not None and now is not None:
                place.copy_(now, non_blocking=True)  # else the processor waits for the step before

    def _record(self) -> None:
        """Nothing is computed meanwhile; the first playing takes the first step."""
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may have runs of their own
                self._readings = self._step(*self._inputs)
        except RuntimeError as error:
            torch.cuda.set_stream(stream)  # torch leaves its own in force where recording fails
            self._plays, self.problem = False, _first_line(error)
            return
        self._graph = graph


def optimizer_for(
    device: torch.device,
    make: type[torch.optim.Adam | torch.optim.SGD],
    parameters: Iterable[Tensor],
    lr: float,
    **options: Any,
) -> torch.optim.Optimizer:
    """An optimiser of torch whose step a graph can hold: a GPU's counts its steps there and reads its rate there.

    Args:
        device: Where the parameters are.
        make: Adam, AdamW or SGD.
        parameters: What it trains.
        lr: Its rate; :func:`set_rate` changes it.
        options: Further ones of ``make``, for the processor; a GPU's optimiser is always the fused one.
    """
    if device.type != PLAYS:
        return make(parameters, lr=lr, **options)
    options["fused"] = True
    if issubclass(make, torch.optim.Adam):
        options["capturable"] = True
    return make(parameters, lr=torch.tensor(lr, dtype=torch.float32, device=device), **options)


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group this rate; one that a graph reads stays where it is."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def _kind(tensor: Tensor | None) -> Any:
    return tensor if tensor is None else (tensor.shape, tensor.dtype)


def _first_line(error: BaseException) -> str:
    """What went wrong first: the end of a recording complains of it once more, in fewer words."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error).splitlines()[0]
