"""A GPU that is not there: its tensors compute on the processor, and what a GPU would refuse is refused.

A CUDA device of torch cannot be named where there is none, so a device of its own stands in for one. Refused are
operations between a tensor there and one here (unless it is a single number, as torch has it), draws there, turning
into an array without ``cpu()``, and operations that torch has for the processor alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

NAME = "pretended"
CROSSING = ("aten::copy_", "aten::_to_copy", "aten::lift", "aten::lift_fresh")  # from one device to another
INDEXED = ("aten::index.", "aten::index_put", "aten::_index_put_impl_")  # take indices from the processor, too
PRODUCTS = ("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm", "aten::mv", "aten::dot")  # of floats only
HERE_ONLY = ("aten::histogram", "aten::linalg_lstsq")

_register: Callable[[str], None] | None = getattr(backend_registration, "_setup_privateuseone_for_python_backend", None)
if _register is not None:
    _register(NAME)  # before any backward pass, since torch starts a thread for each device with the first
_recording: Graph | None = None  # that operations go into instead of being carried out


class GPURefuses(RuntimeError):
    """What CUDA would not do."""


class Pretended(Tensor):
    """A tensor of the pretended GPU around one of the processor."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Pretended:
        make: Any = Tensor._make_wrapper_subclass  # pyright: ignore[reportAttributeAccessIssue] - not in torch's stubs
        self = make(cls, inner.shape, strides=inner.stride(), dtype=inner.dtype, device=torch.device(NAME, 0))
        self.inner = inner
        return self

    def __repr__(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - torch's takes tensor_contents
        return f"Pretended({self.inner})"

    def tolist(self) -> Any:
        if _recording is not None:
            raise GPURefuses("tolist: operation not permitted when stream is capturing")
        return self.inner.tolist()  # torch leaves it out for subclasses; a GPU's tensor has it

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, value: Pretended) -> None:
        Tensor.data.__set__(self, value)  # pyright: ignore[reportAttributeAccessIssue] - a descriptor of C
        self.inner = value.inner

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _carry_out(func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _is_there(kwargs.get("device")) or any(isinstance(leaf, Pretended) for leaf in tree_leaves((args, kwargs))):
            return _carry_out(func, args, kwargs)
        return func(*args, **kwargs)


@contextmanager
def pretended_gpu() -> Iterator[str]:
    """Inside, torch has one more device, whose name this gives."""
    lifted = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=...) is then seen by the mode
    try:
        with _Mode():
            yield NAME
    finally:
        torch._C._set_only_lift_cpu_tensors(lifted)


class Graph:
    """A recorded graph, as CUDA has it: what is launched while it is recorded is not carried out, and no memory moves.

    Recorded is each operation with its numbers as they were and with the places of its tensors. What it gives stays
    where recording put it; until the first playing there are no numbers in it.
    """

    def __init__(self, graphs: Graphs) -> None:
        self._graphs = graphs
        self._operations: list[Callable[[], Any]] = []
        self._own: set[int] = set()  # storages made while recording: the graph keeps them
        self._read: dict[int, tuple[Any, list[Tensor]]] = {}  # storages from before, each with what is held of it here

    def replay(self) -> None:
        for storage, held in self._read.values():
            if _uses(storage) <= len(held) + 1:  # one more for the storage itself
                raise GPURefuses("a graph plays on memory that was given back after it had been recorded")
        self._graphs.played += 1
        for operation in self._operations:
            operation()

    def take(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What the operation will give, in its place."""
        if torch.Tag.inplace_view in func.tags:  # changes a shape and no number
            return func(*args, **kwargs)
        places, options = tree_map(self._place, (args, kwargs))
        if any(returned.alias_info for returned in func._schema.returns) or not func._schema.returns:
            if not func._schema.is_mutable:  # a view
                return func(*args, **kwargs)
            self._operations.append(lambda: func(*places, **options))
            return (kwargs["out"] if "out" in kwargs else args[0]) if func._schema.returns else None
        # on copies, since some write to an argument all the same: BatchNorm to its running means
        args, kwargs = tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, (args, kwargs))
        result = func(*args, **kwargs)
        given = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self._own |= _storages(given)
        for tensor in given:
            tensor.fill_(torch.nan if tensor.is_floating_point() or tensor.is_complex() else 0)
        self._operations.append(
            lambda: [t.copy_(r) for t, r in zip(given, tree_leaves(func(*places, **options)), strict=True)]
        )
        return result

    def baked(self, here: Tensor) -> Tensor:
        """A tensor of the processor as it is now."""
        now = here.clone()
        self._own |= _storages([now])
        return now

    def _place(self, leaf: Any) -> Any:
        """A tensor as its place, which nobody is kept from giving back; anything else as it is."""
        if not isinstance(leaf, Tensor):
            return leaf
        place = leaf.detach()
        storage = leaf.untyped_storage()
        if storage._cdata not in self._own:
            self._read.setdefault(storage._cdata, (storage, []))[1].append(place)
        return place


class Graphs:
    """Torch's CUDA graphs for pretended tensors, while the test that patches goes on.

    Attributes:
        played: How often some graph was.
        recorded: How many graphs were.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.played = self.recorded = 0
        patch.setattr("lab.models.captured.PLAYS", NAME)
        patch.setattr(torch.cuda, "CUDAGraph", lambda: Graph(self))
        patch.setattr(torch.cuda, "graph", self._record)
        for name in ("Stream", "current_stream"):
            patch.setattr(torch.cuda, name, lambda: self)
        patch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
        patch.setattr(torch.cuda, "set_stream", lambda stream: None)
        patch.setattr(torch.optim.Optimizer, "_accelerator_graph_capture_health_check", _check, raising=False)
        patch.setattr(torch.optim.Optimizer, "_cuda_graph_capture_health_check", _check, raising=False)

    @contextmanager
    def _record(self, graph: Graph, **options: Any) -> Iterator[None]:
        global _recording
        _recording = graph
        try:
            yield
        finally:
            _recording = None
        self.recorded += 1

    def wait_stream(self, stream: Any) -> None: ...


def _check(optimizer: torch.optim.Optimizer) -> None:
    """What torch asks of those that count their steps."""
    if _recording is not None and not all(group["capturable"] for group in optimizer.param_groups):
        raise GPURefuses("Attempting CUDA graph capture of step() but param_groups' capturable is False.")


def _storages(leaves: list[Any]) -> set[int]:
    return {leaf.untyped_storage()._cdata for leaf in leaves if isinstance(leaf, Tensor)}


def _uses(storage: Any) -> int:
    count: Any = torch._C._storage_Use_Count  # pyright: ignore[reportAttributeAccessIssue] - as torch's own graphs
    return count(storage._cdata)


def _is_there(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _carry_out(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = func.name()
    leaves = tree_leaves((args, kwargs))
    _refuse(func, name, args, kwargs)
    wrapped = {id(leaf.inner): leaf for leaf in leaves if isinstance(leaf, Pretended)}
    plain, options = tree_map(_plain, (args, kwargs))
    target = kwargs.get("device")
    if _is_there(target):
        options["device"] = torch.device("cpu")
    if name == "aten::_efficientzerotensor":  # it has no numbers of its own, which a wrapper cannot tell torch
        func = torch.ops.aten.zeros.default
    result = func(*plain, **options) if _recording is None else _recording.take(func, plain, options)
    if torch.Tag.inplace_view in func.tags:
        return return_and_correct_aliasing(func, args, kwargs, args[0])
    if (target is not None and not _is_there(target)) or (name == "aten::copy_" and not isinstance(args[0], Pretended)):
        return result
    return tree_map(lambda leaf: _wrap(leaf, wrapped), result)


def _plain(leaf: Any) -> Any:
    """What a tensor of the pretended GPU is around; a number of the processor is read when it is recorded."""
    if isinstance(leaf, Pretended):
        return leaf.inner
    return _recording.baked(leaf) if _recording is not None and isinstance(leaf, Tensor) else leaf


def _wrap(leaf: Any, wrapped: dict[int, Pretended]) -> Any:
    if not isinstance(leaf, Tensor):
        return leaf
    return wrapped[id(leaf)] if id(leaf) in wrapped else Pretended(leaf)  # an operation in place gives its argument


def _asks(func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether the processor waits for what an operation finds, or it for the processor."""
    if name.startswith(INDEXED):  # the shape depends on numbers where a mask chooses, and only there
        indices = (leaf for leaf in tree_leaves(args[1]) if isinstance(leaf, Tensor))
        return any(index.dtype in (torch.bool, torch.uint8) for index in indices)
    if name.startswith(CROSSING):
        to = kwargs.get("device")
        both = (isinstance(leaf, Pretended) for leaf in tree_leaves(args) if isinstance(leaf, Tensor))
        return not all(both) or (to is not None and not _is_there(to))
    return bool({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(func.tags))


def _refuse(func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> None:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    if name.startswith(HERE_ONLY):
        raise GPURefuses(f"{name} is not there on CUDA")
    if name.split(".")[0] in PRODUCTS and not (tensors[0].is_floating_point() or tensors[0].is_complex()):
        raise GPURefuses(f"{name} is not implemented on CUDA for {tensors[0].dtype}")
    if torch.Tag.nondeterministic_seeded in func.tags:
        raise GPURefuses(f"{name} draws there; draw on the processor, whose numbers every device shares, and move them")
    here = [tensor for tensor in tensors if not isinstance(tensor, Pretended)]
    if _recording is not None and (_asks(func, name, args, kwargs) or any(tensor.ndim for tensor in here)):
        raise GPURefuses(f"{name}: operation not permitted when stream is capturing")
    if name.startswith(CROSSING):
        return
    if name.startswith(INDEXED) and isinstance(args[0], Pretended):
        here = [leaf for leaf in tree_leaves(args[2:]) if isinstance(leaf, Tensor) and not isinstance(leaf, Pretended)]
    numbers = torch.Tag.pointwise in func.tags or name.startswith(INDEXED)  # single numbers may come from here
    if any(tensor.ndim or not numbers for tensor in here):
        shapes = [f"{'there' if isinstance(t, Pretended) else 'here'} {tuple(t.shape)}" for t in tensors]
        raise GPURefuses(f"{name} between tensors of different devices: {', '.join(shapes)}")
