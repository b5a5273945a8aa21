"""Generalised Gauss-Newton matrix Jᵀ (∇²_f ℓ) J, exact for any loss of the outputs.

Schraudolph (2002), doi:10.1162/08997660260028683.
For cross-entropy of softmax outputs and for squared error it equals the Fisher information up to the loss's own scale.
"""

from collections.abc import Callable, Iterable
from typing import final

import torch
from torch import Tensor

from lab.measures.hvp import space_of, twice_differentiable, vector_jacobian_products
from lab.measures.operators import SymmetricOperator, UndefinedError, trainable, unflatten


@final
class GaussNewton(SymmetricOperator):
    """Jᵀ (∇²_f ℓ(f)) J as an operator, with f(θ) the outputs and J = ∂f/∂θ; three backward passes a product.

    Attributes:
        params: The parameters that require a gradient, tied ones once.
    """

    def __init__(
        self,
        outputs: Callable[[], Tensor],
        loss: Callable[[Tensor], Tensor],
        params: Iterable[Tensor],
        *,
        chunk: int = 16,
    ) -> None:
        """Evaluate outputs and loss once and keep their graphs.

        Args:
            outputs: Closure that computes f, any shape.
            loss: ℓ(f), shape (), of the outputs alone: ``lambda f: cross_entropy(f, y)``.
            params: θ, P numbers in all.
            chunk: Vectors multiplied in one pass; memory grows with it.

        Raises:
            UndefinedError: There are no outputs, or they do not depend on the parameters.
        """
        self.params = trainable(params)
        self.chunk = chunk
        super().__init__(*space_of(self.params))
        with twice_differentiable():
            self._outputs = outputs()
            if not self._outputs.numel():
                raise UndefinedError(f"the outputs have shape {tuple(self._outputs.shape)}: the batch is empty")
            if not self._outputs.requires_grad:
                raise UndefinedError(
                    "the outputs do not depend on any parameter: were they detached, or computed under no_grad?"
                )
            self._leaf = self._outputs.detach().requires_grad_()
            (self._slope,) = torch.autograd.grad(loss(self._leaf), self._leaf, create_graph=True)
            # Jᵀu is linear in u, so differentiating it by u gives J v: a forward derivative from two backward ones
            self._dual = torch.zeros_like(self._outputs, requires_grad=True)
            pulled = torch.autograd.grad(
                self._outputs, self.params, self._dual, create_graph=True, materialize_grads=True
            )
        self._pulled = pulled

    def jacobian_products(self, rows: Tensor) -> Tensor:
        """J v for each of K rows, shape (K, P) -> (K, *f.shape): the change of the outputs along each direction."""
        pieces = zip(self._pulled, unflatten(rows, self.params), strict=True)
        pulled, vectors = zip(*((t, v) for t, v in pieces if t.requires_grad), strict=True)
        flat = vector_jacobian_products(pulled, [self._dual], vectors, chunk=self.chunk)
        return flat.reshape(len(rows), *self._outputs.shape)

    def _multiply(self, rows: Tensor) -> Tensor:
        if not self._slope.requires_grad:
            return torch.zeros_like(rows)  # a loss linear in the outputs has no curvature of its own
        forward = self.jacobian_products(rows)
        curved = vector_jacobian_products([self._slope], [self._leaf], [forward], chunk=self.chunk)
        curved = curved.reshape(forward.shape)
        return vector_jacobian_products([self._outputs], self.params, [curved], chunk=self.chunk).to(self.dtype)
