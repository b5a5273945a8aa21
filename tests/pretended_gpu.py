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
_recording: list[Callable[[], Any]] | None = None  # what is to be played back, while a graph is recorded


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


class Graphs:
    """Torch's CUDA graphs for pretended tensors: recorded operations are not carried out until they are played."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.tape: list[Callable[[], Any]] = []
        self.played = 0
        patch.setattr(torch.cuda, "CUDAGraph", lambda: self)
        patch.setattr(torch.cuda, "graph", lambda graph: self._record())
        for name in ("Stream", "current_stream"):
            patch.setattr(torch.cuda, name, lambda: self)
        patch.setattr(torch.cuda, "stream", lambda stream: nullcontext())

    @contextmanager
    def _record(self) -> Iterator[None]:
        global _recording
        _recording = self.tape
        try:
            yield
        finally:
            _recording = None

    def wait_stream(self, stream: Any) -> None: ...

    def replay(self) -> None:
        self.played += 1
        for operation in self.tape:
            operation()


def _is_there(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _carry_out(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = func.name()
    leaves = tree_leaves((args, kwargs))
    _refuse(func, name, args, leaves)
    wrapped = {id(leaf.inner): leaf for leaf in leaves if isinstance(leaf, Pretended)}
    plain, options = tree_map(lambda leaf: leaf.inner if isinstance(leaf, Pretended) else leaf, (args, kwargs))
    target = kwargs.get("device")
    if _is_there(target):
        options["device"] = torch.device("cpu")
    if name == "aten::_efficientzerotensor":  # it has no numbers of its own, which a wrapper cannot tell torch
        func = torch.ops.aten.zeros.default
    result = func(*plain, **options) if _recording is None else _recorded(func, plain, options, _recording)
    if torch.Tag.inplace_view in func.tags:
        return return_and_correct_aliasing(func, args, kwargs, args[0])
    if (target is not None and not _is_there(target)) or (name == "aten::copy_" and not isinstance(args[0], Pretended)):
        return result
    return tree_map(lambda leaf: _wrap(leaf, wrapped), result)


def _wrap(leaf: Any, wrapped: dict[int, Pretended]) -> Any:
    if not isinstance(leaf, Tensor):
        return leaf
    return wrapped[id(leaf)] if id(leaf) in wrapped else Pretended(leaf)  # an operation in place gives its argument


def _recorded(func: Any, args: Any, kwargs: Any, tape: list[Callable[[], Any]]) -> Any:
    """What the operation gives, with numbers that only a playing makes right; the places of results stay."""
    if func._schema.is_mutable:
        tape.append(lambda: func(*args, **kwargs))
        return args[0] if "out" not in kwargs else kwargs["out"]
    result = func(*args, **kwargs)
    if not any(returned.alias_info for returned in func._schema.returns):
        places = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        tape.append(lambda: [p.copy_(r) for p, r in zip(places, tree_leaves(func(*args, **kwargs)), strict=True)])
    return result


def _refuse(func: Any, name: str, args: Any, leaves: list[Any]) -> None:
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    if name.startswith(HERE_ONLY):
        raise GPURefuses(f"{name} is not there on CUDA")
    if name.split(".")[0] in PRODUCTS and not (tensors[0].is_floating_point() or tensors[0].is_complex()):
        raise GPURefuses(f"{name} is not implemented on CUDA for {tensors[0].dtype}")
    if torch.Tag.nondeterministic_seeded in func.tags:
        raise GPURefuses(f"{name} draws there; draw on the processor, whose numbers every device shares, and move them")
    here = [tensor for tensor in tensors if not isinstance(tensor, Pretended)]
    if _recording is not None:
        masked = name.startswith(INDEXED) and any(t.dtype in (torch.bool, torch.uint8) for t in tree_leaves(args[1]))
        asked = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(func.tags)
        if masked or asked or (name.startswith(CROSSING) and here):
            raise GPURefuses(f"{name}: operation not permitted when stream is capturing")
    if name.startswith(CROSSING):
        return
    if name.startswith(INDEXED) and isinstance(args[0], Pretended):
        here = [leaf for leaf in tree_leaves(args[2:]) if isinstance(leaf, Tensor) and not isinstance(leaf, Pretended)]
    numbers = torch.Tag.pointwise in func.tags or name.startswith(INDEXED)  # single numbers may come from here
    if any(tensor.ndim or not numbers for tensor in here):
        shapes = [f"{'there' if isinstance(t, Pretended) else 'here'} {tuple(t.shape)}" for t in tensors]
        raise GPURefuses(f"{name} between tensors of different devices: {', '.join(shapes)}")
