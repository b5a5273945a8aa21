"""Hessian-vector products by differentiating the gradient once more. Pearlmutter (1994), doi:10.1162/neco.1994.6.1.147.

The gradient's graph is built once and kept, so a product costs 1.5 to 1.9 gradients, and 0.9 to 1.3 a vector in
batches of eight or more. ReLU and max-pooling have no second derivative at their kinks: autograd takes 0 there, so
for piecewise linear networks this is the Hessian inside the current linear piece, without the delta functions on its
border.
"""

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from typing import final

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from lab.measures.operators import LossClosure, SymmetricOperator, UndefinedError, flatten, trainable, unflatten

_NO_DERIVATIVE = ("derivative for", "once_differentiable", "double backward")


@contextmanager
def twice_differentiable():
    """Gradients on, and attention by the math kernel: the fused kernels have no second derivative."""
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        yield


@contextmanager
def _missing_derivatives_explained():
    try:
        yield
    except RuntimeError as error:
        if not any(words in str(error).lower() for words in _NO_DERIVATIVE):
            raise
        raise UndefinedError(
            f"an operation in the loss has no second derivative ({error}). Pass the loss as a closure, so that "
            "attention runs under the math kernel; compute recurrent layers on a GPU with "
            "torch.backends.cudnn.flags(enabled=False)"
        ) from error


def vector_jacobian_products(
    outputs: Sequence[Tensor], params: Sequence[Tensor], rows: Sequence[Tensor], *, chunk: int = 16
) -> Tensor:
    """vᵀ ∂outputs/∂params for each of K vectors v, with the graph kept.

    Args:
        outputs: Tensors with a graph.
        params: What to differentiate by, P numbers in all.
        rows: For each output its part of the vectors, shape (K, *output.shape).
        chunk: Vectors in one backward pass; memory grows with it.

    Returns:
        Shape (K, P).
    """
    count = len(rows[0])
    parts = [[r[i : i + chunk] for r in rows] for i in range(0, count, chunk)] if count > chunk else [rows]
    with _missing_derivatives_explained():
        products = [_products(outputs, params, part) for part in parts]
    return products[0] if len(products) == 1 else torch.cat(products)


def _products(outputs: Sequence[Tensor], params: Sequence[Tensor], rows: Sequence[Tensor]) -> Tensor:
    if len(rows[0]) > 2:  # a batch of two costs as much as two passes
        try:
            return _batched_pass(outputs, params, rows)
        except RuntimeError as error:  # an operation without a batching rule: one by one then
            if any(words in str(error).lower() for words in _NO_DERIVATIVE):
                raise
    return torch.stack([_single_pass(outputs, params, vector) for vector in zip(*rows, strict=True)])


def _single_pass(outputs: Sequence[Tensor], params: Sequence[Tensor], vector: Sequence[Tensor]) -> Tensor:
    return flatten(torch.autograd.grad(outputs, params, vector, retain_graph=True, materialize_grads=True))


def _batched_pass(outputs: Sequence[Tensor], params: Sequence[Tensor], rows: Sequence[Tensor]) -> Tensor:
    # materialize_grads would give an unused parameter one zero without the batch dimension, hence allow_unused
    grads = torch.autograd.grad(outputs, params, rows, retain_graph=True, allow_unused=True, is_grads_batched=True)
    count = len(rows[0])
    return torch.cat(
        [
            p.new_zeros(count, p.numel()) if g is None else g.reshape(count, -1)
            for g, p in zip(grads, params, strict=True)
        ],
        dim=1,
    )


@final
class Hessian(SymmetricOperator):
    """∇²L(θ) by the parameters, as an operator: the gradient's graph is kept for as long as this lives.

    Attributes:
        value: L(θ).
        gradient: ∇L(θ), shape (P,).
        params: The parameters that require a gradient, in the order given, tied ones once.
    """

    def __init__(self, loss: LossClosure | Tensor, params: Iterable[Tensor], *, chunk: int = 16) -> None:
        """Evaluate the loss and its gradient once.

        Args:
            loss: L, shape (), as a closure, or as a tensor with its graph (then attention must already be the math
                kernel's).
            params: θ, P numbers in all.
            chunk: Vectors multiplied in one backward pass; memory grows with it.

        Raises:
            UndefinedError: The loss is not a finite scalar that depends on the parameters.
        """
        self.params = trainable(params)
        self.chunk = chunk
        with twice_differentiable():
            value = loss() if callable(loss) else loss
            _refuse_undefined(value)
            self._grads = torch.autograd.grad(value, self.params, create_graph=True, materialize_grads=True)
        _refuse_broken_graph(self._grads)
        self.value = float(value.detach())
        super().__init__(*space_of(self.params))
        self.gradient = flatten([g.detach() for g in self._grads]).to(self.dtype)

    def block(self, params: Iterable[Tensor]) -> "Hessian":
        """The diagonal block of some parameters, a layer's say, on the same graph: nothing is evaluated again."""
        chosen = trainable(params)
        place = {id(p): i for i, p in enumerate(self.params)}
        if not all(id(p) in place for p in chosen):
            raise ValueError("a parameter of the block is not among those of the Hessian")
        block = object.__new__(Hessian)
        SymmetricOperator.__init__(block, *space_of(chosen))
        block.params, block.chunk, block.value = chosen, self.chunk, self.value
        block._grads = tuple(self._grads[place[id(p)]] for p in chosen)
        block.gradient = flatten(g.detach() for g in block._grads).to(block.dtype)
        return block

    def _multiply(self, rows: Tensor) -> Tensor:
        # a gradient without a graph is constant in θ: its part of the Hessian is zero
        one = len(rows) == 1  # a single vector is spared the batch's handling, a third of its time on a small network
        parts = zip(self._grads, unflatten(rows[0] if one else rows, self.params), strict=True)
        curved = [(g, r) for g, r in parts if g.requires_grad]
        if not curved:
            return torch.zeros_like(rows)
        grads, pieces = zip(*curved, strict=True)
        if one:
            with _missing_derivatives_explained():
                return _single_pass(grads, self.params, pieces)[None].to(self.dtype)
        return vector_jacobian_products(grads, self.params, pieces, chunk=self.chunk).to(self.dtype)


def space_of(params: Sequence[Tensor]) -> tuple[int, torch.dtype, torch.device]:
    """Number of parameters, the type to compute in (at least float32) and the device."""
    dtype = torch.float32
    for p in params:
        dtype = torch.promote_types(dtype, p.dtype)
    return sum(p.numel() for p in params), dtype, params[0].device


def _refuse_undefined(value: Tensor) -> None:
    if value.numel() != 1:
        raise UndefinedError(f"the loss has shape {tuple(value.shape)}; a Hessian needs a scalar: take its mean or sum")
    if not torch.isfinite(value.detach()).item():
        raise UndefinedError(
            f"the loss is {float(value.detach())}: an empty batch (a mean over nothing) or a diverged run"
        )
    if not value.requires_grad:
        raise UndefinedError("the loss does not depend on any parameter: was it detached, or computed under no_grad?")


def _refuse_broken_graph(grads: Sequence[Tensor]) -> None:
    """A function marked once-differentiable leaves a node without successors: its part would count as zero."""
    seen, waiting = set(), [g.grad_fn for g in grads if g.grad_fn is not None]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.name().endswith("::Error"):
            raise UndefinedError("the loss uses a function marked once_differentiable, which has no second derivative")
        waiting.extend(successor for successor, _ in node.next_functions if successor is not None)


def hvp(loss: LossClosure | Tensor, params: Iterable[Tensor], vectors: Tensor) -> Tensor:
    """∇²L(θ) v for one vector, (P,), or each row of a batch, (K, P). For several calls keep a `Hessian` instead."""
    return Hessian(loss, params)(vectors)
