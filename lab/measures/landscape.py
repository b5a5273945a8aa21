"""Sections of the loss: its values on a line or plane through parameter space, along the path, coarse first. Li et
al. 2018.

The loss is any function of parameters ``{name: tensor}``; ``FunctionalLoss`` makes one from a module. The module's
own parameters and buffers are never written: a section is evaluated on copies, in inference mode, and draws no random
numbers.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from lab.measures.directions import Params, Plane, unflatten
from lab.measures.quick_pooling import QuickPooling

Loss = Callable[[dict[str, Tensor]], Tensor]
Points = Callable[[int, int], Tensor]  # (begin, end) -> vectors (end - begin, P)

# numbers in flight at once: on a CPU measured on three small networks, where larger batches gained nothing more or lost
# to a loop (page faults and caches); on a GPU 1/4 GB in float32, not measured
_CPU_NUMBERS, _GPU_NUMBERS = 8_000_000, 64_000_000
_LEAST_BATCH = 8  # of larger networks a pass alone fills the caches: a transformer's went from 3.8 to 2.9 ms
_KEPT_BYTES = 31 * 2**20  # 32 MiB is the largest block that glibc learns from


@dataclass(frozen=True)
class FunctionalLoss:
    """L(θ) = criterion(model_θ(inputs), targets) on fixed data, in the mode (train or eval) that the model is in.

    Batch statistics are those of ``inputs`` in train mode; the running ones are not updated.
    """

    model: nn.Module
    criterion: Callable[[Tensor, Tensor], Tensor]
    inputs: Tensor
    targets: Tensor

    def __post_init__(self) -> None:
        if not len(self.inputs):
            raise ValueError("the batch is empty: the loss of no samples is not defined")

    def __call__(self, params: dict[str, Tensor]) -> Tensor:
        return self.criterion(self.outputs(params), self.targets)

    def outputs(self, params: dict[str, Tensor]) -> Tensor:
        """The model's outputs with ``params`` in place of its own."""
        anchor = next(iter(params.values())).flatten()[0]
        # under vmap a buffer must be one per point before batch norm may write to it: take the mark of the point from θ
        buffers = {
            name: torch.where(anchor.isnan(), b, b) if b.is_floating_point() else b.clone()
            for name, b in self.model.named_buffers()
        }
        return functional_call(self.model, (params, buffers), (self.inputs,), tie_weights=self._tied)

    @cached_property
    def _tied(self) -> bool:
        """Whether a parameter has two names: to look for such at every call takes a tenth of a small network's pass."""
        return len(list(self.model.named_parameters(remove_duplicate=False))) > len(list(self.model.parameters()))


class ClosureLoss:
    """L(θ) of a module as a closure computes it, for losses that are not a criterion of the module's output.

    Args:
        module: Whose trained parameters the loss depends on.
        closure: The loss at the parameters that the module has, shape ().
    """

    def __init__(self, module: nn.Module, closure: Callable[[], Tensor]) -> None:
        self._whole = _Whole(module, closure)

    def __call__(self, params: dict[str, Tensor]) -> Tensor:
        return functional_call(self._whole, {f"module.{name}": value for name, value in params.items()}, ())


class _Whole(nn.Module):
    """A module whose call is its loss."""

    def __init__(self, module: nn.Module, closure: Callable[[], Tensor]) -> None:
        super().__init__()
        self.module, self._closure = module, closure

    def forward(self) -> Tensor:
        return self._closure()


@dataclass(frozen=True)
class Section:
    """Values of the loss on a grid of a plane.

    Attributes:
        plane: Where.
        axes: Coordinates, one array per direction, (n,) or (n1,), (n2,).
        values: float64, shape (n,) or (n1, n2), first index along the first direction.
        measured: Which values were evaluated; the others are interpolated. Same shape.
        how: Batch size, or why points were evaluated one by one.
    """

    plane: Plane
    axes: tuple[np.ndarray, ...]
    values: np.ndarray
    measured: np.ndarray
    how: str


class _Elements(TorchDispatchMode):
    """Counts the numbers that a computation produces, to size a batch by the memory it moves."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not any(returned.alias_info for returned in func._schema.returns):  # a view moves nothing
            results = result if isinstance(result, (tuple, list)) else (result,)
            self.count += sum(out.numel() for out in results if isinstance(out, Tensor))
        return result


def _random_states() -> list[Tensor]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *cuda]


def _keep_freed_memory() -> None:
    """Let glibc keep what a batch frees for the next one: it holds twice the largest block that it saw freed.

    Otherwise each batch asks the system for its pages anew, and their zeroing takes a third of a small network's time:
    of a convolutional one's smooth section 182 ms became 106, with 600 page faults for 18,000. The block is never
    written to, so it takes no memory. See ``man mallopt``, M_MMAP_THRESHOLD; elsewhere this does nothing.
    """
    torch.empty(_KEPT_BYTES, dtype=torch.uint8)


def losses(loss: Loss, like: Params, points: Points, count: int, *, batch: int | None = None) -> tuple[np.ndarray, str]:
    """L at many points, several at a time.

    Cost: one forward pass a point, less the overhead that batching saves.

    Args:
        loss: L of parameters by name, one number.
        like: Parameters that give names, shapes and place.
        points: (begin, end) -> vectors (end - begin, P).
        count: Number of points.
        batch: Points at a time; by default what fits the cache (CPU) or a quarter of a gigabyte (GPU).

    Returns:
        Values in float64, shape (count,), and how they were evaluated.

    Raises:
        ValueError: The loss is random (dropout in train mode) or not one number.
    """
    if not count:
        return np.empty(0), ""
    evaluation = Evaluation(loss, like, points(0, 1)[0], batch=batch)
    if evaluation.form.numel() != 1:
        raise ValueError(f"the loss has shape {tuple(evaluation.form.shape)}; it must be one number, so average it")
    values = evaluation(points, count)
    return values.reshape(count).double().cpu().numpy(), evaluation.how


class Evaluation:
    """A function of parameters at many points, several at a time where that saves time (see ``losses``).

    Attributes:
        form: What the function gives at one point: its shape, dtype and device count.
        how: How points are evaluated.

    Raises:
        ValueError: The function is random.
    """

    def __init__(self, function: Loss, like: Params, point: Tensor, *, batch: int | None = None) -> None:
        self._function, self._like = function, like
        before = _random_states()
        _keep_freed_memory()
        with torch.inference_mode(), QuickPooling() as pooling, _Elements() as elements:
            self.form = function(unflatten(point, like))
        if any(not torch.equal(a, b) for a, b in zip(before, _random_states(), strict=True)):
            raise ValueError("the loss draws random numbers; put the model in eval mode")
        budget = _GPU_NUMBERS if self.form.is_cuda else _CPU_NUMBERS
        numbers = elements.count + 2 * point.numel()  # those of the point itself are made twice
        self._batch = budget // numbers if batch is None else batch
        self._largest = 0  # batch so far
        self._pools = pooling.used  # a torch function mode costs something at every call
        small = self._batch < (_LEAST_BATCH if batch is None else 2)
        self._alone = f"one by one: {self._batch} points fill the caches" if small else ""

    @property
    def how(self) -> str:
        return self._alone or f"{self._largest} at a time"

    def __call__(self, points: Points, count: int) -> Tensor:
        """Results (count, ...) at ``count`` points."""
        values = self.form.new_empty(count, *self.form.shape)
        with torch.inference_mode(), QuickPooling() if self._pools else nullcontext():
            done = 0 if self._alone else self._in_batches(points, values)
            for begin in range(done, count, _LEAST_BATCH):
                end = min(begin + _LEAST_BATCH, count)
                for i, point in enumerate(points(begin, end), begin):
                    values[i] = self._function(unflatten(point, self._like))
        return values

    def _in_batches(self, points: Points, values: Tensor) -> int:
        """Fill ``values`` as far as vmap can do the function; how far that is."""
        batched = vmap(
            lambda params: self._function(params)
        )  # of an object without a name vmap would print all tensors
        begin = 0
        while begin < len(values):
            end = min(begin + self._batch, len(values))
            try:
                values[begin:end] = batched(unflatten(points(begin, end), self._like))
                self._largest = max(self._largest, end - begin)
            except (RuntimeError, NotImplementedError, ValueError) as error:  # vmap cannot do every module
                self._alone = f"one by one: {str(error).strip().splitlines()[0]}"
                break
            begin = end
        return begin


def section(loss: Loss, plane: Plane, axes: Sequence[np.ndarray], *, batch: int | None = None) -> Section:
    """The loss at every point of a grid, in one or two dimensions.

    Args:
        loss: L of parameters by name.
        plane: Origin and directions.
        axes: Coordinates along each direction, in its lengths; shapes (n,) or (n1,), (n2,).
        batch: Points at a time (see ``losses``).
    """
    axes = tuple(np.asarray(axis, np.float64) for axis in axes)
    if len(axes) != len(plane.directions):
        raise ValueError(f"{len(axes)} axes for {len(plane.directions)} directions; give one each")
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values, how = _values_at(loss, plane, grid.reshape(-1, len(axes)), batch)
    return Section(plane, axes, values.reshape(grid.shape[:-1]), np.ones(grid.shape[:-1], bool), how)


def _values_at(loss: Loss, plane: Plane, coordinates: np.ndarray, batch: int | None) -> tuple[np.ndarray, str]:
    where = torch.from_numpy(coordinates)
    return losses(loss, plane.origin, lambda a, b: plane.points(where[a:b]), len(coordinates), batch=batch)


def refined(
    loss: Loss,
    plane: Plane,
    spans: Sequence[tuple[float, float]],
    *,
    coarse: int = 13,
    levels: int = 3,
    share: float = 0.4,
    tol: float = 1e-3,
    batch: int | None = None,
) -> Iterator[Section]:
    """Sections of one region, each twice as fine, evaluated where the one before bends most and interpolated elsewhere.

    The bend is the sum of the absolute second differences along the axes, so the error of linear interpolation is 1/8
    of it.

    Args:
        loss: L of parameters by name.
        plane: Origin and directions.
        spans: (low, high) of each coordinate.
        coarse: Points along each axis of the first section.
        levels: Number of sections; the last has (coarse - 1) 2^(levels - 1) + 1 points along an axis.
        share: Largest share of the points not yet evaluated that a level evaluates.
        tol: Where the estimated error is at most this share of the range of values, interpolation is kept; with share 1
            and tol 0 every point is evaluated.
        batch: Points at a time (see ``losses``).

    Yields:
        Section after section, each keeping what was evaluated before.
    """
    if coarse < 3 or not 0 < share <= 1:
        raise ValueError(f"coarse is {coarse} and share {share}; they must be at least 3 and in (0, 1]")
    current = section(loss, plane, [np.linspace(low, high, coarse) for low, high in spans], batch=batch)
    doubt = np.zeros(current.values.shape)  # estimated error of what is interpolated
    yield current
    for level in range(1, levels):
        axes = tuple(np.linspace(low, high, (coarse - 1) * 2**level + 1) for low, high in spans)
        doubt, values, measured = (
            _finer_doubt(doubt, current.values),
            _doubled(current.values),
            _between(current.measured),
        )
        finite = values[np.isfinite(values)]
        least = tol * np.ptp(finite) if len(finite) and tol else -1.0
        open_points = np.flatnonzero(~measured)
        order = np.argsort(-doubt.reshape(-1)[open_points], kind="stable")
        chosen = open_points[order[: math.ceil(share * len(open_points))]]
        chosen = chosen[doubt.reshape(-1)[chosen] > least]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
        values.reshape(-1)[chosen], how = _values_at(loss, plane, grid[chosen], batch)
        measured.reshape(-1)[chosen], doubt.reshape(-1)[chosen] = True, 0.0
        current = Section(plane, axes, values, measured, how)
        yield current


def _between(measured: np.ndarray) -> np.ndarray:
    """The flags on the grid of twice as many intervals: new points are not measured."""
    finer = np.zeros([2 * n - 1 for n in measured.shape], bool)
    finer[(slice(None, None, 2),) * measured.ndim] = measured
    return finer


def _finer_doubt(doubt: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Estimated errors after doubling: the neighbours', and 1/8 |second difference| along interpolated axes."""
    finer = _doubled(doubt)
    for axis in range(values.ndim):
        with np.errstate(invalid="ignore"):
            bend = np.abs(np.diff(values, 2, axis=axis)) / 8
        bend = np.pad(bend, [(int(i == axis),) * 2 for i in range(values.ndim)])  # nothing is known beyond the border
        odd = tuple(slice(1, None, 2) if i == axis else slice(None) for i in range(values.ndim))
        finer[odd] += _doubled(np.nan_to_num(bend, nan=np.inf))[odd]
    return finer


def _doubled(values: np.ndarray) -> np.ndarray:
    """Linear interpolation to twice as many intervals along every axis."""
    for axis in range(values.ndim):
        values = np.moveaxis(values, axis, 0)
        finer = np.empty((2 * len(values) - 1, *values.shape[1:]))
        finer[::2], finer[1::2] = values, (values[:-1] + values[1:]) / 2
        values = np.moveaxis(finer, 0, axis)
    return np.ascontiguousarray(values)


def path_losses(loss: Loss, like: Params, trajectory: Tensor, *, batch: int | None = None) -> np.ndarray:
    """The true loss at the points (T, P) of a path, to be set beside the section's value below them; shape (T,)."""
    return losses(loss, like, lambda a, b: trajectory[a:b], len(trajectory), batch=batch)[0]


def interpolation(loss: Loss, like: Params, a: Tensor, b: Tensor, points: int = 21) -> tuple[np.ndarray, np.ndarray]:
    """The loss on the straight line from vector ``a`` (P,) to ``b``: positions in [0, 1] and values, both (points,)."""
    line = Plane(unflatten(a, like), (b - a)[None], ("from a to b",))
    result = section(loss, line, [np.linspace(0, 1, points)])
    return result.axes[0], result.values
