"""Sharpness of a Hessian, preconditioned or not, or of another symmetric operator; curvature along directions.

The operator says of what: ``lambda_max(Hessian(loss, params))``, ``lambda_max(GaussNewton(...))``,
``lambda_max(preconditioned(hessian, adam))``, ``lambda_max(hessian.block(layer))``. Several readings of one Hessian
share the graph. Cohen et al. (2021), arXiv:2103.00065; for adaptive optimisers Cohen et al. (2022), arXiv:2207.14484.
"""

import torch
from torch import Tensor

from lab.measures.eigen import Eigen, Eigenpairs, eigenpairs
from lab.measures.hvp import Hessian
from lab.measures.operators import Scaled, SymmetricOperator, UndefinedError
from lab.measures.preconditioners import Preconditioner
from lab.measures.warm_start import Start


def lambda_max(
    operator: SymmetricOperator, *, tol: float = 1e-3, start: Start | Tensor | None = None, **options
) -> Eigen:
    """The largest algebraic eigenvalue, λ_max: of a Hessian the sharpness, in units of L/θ².

    Args:
        operator: Of what, shape (P, P).
        tol: Relative accuracy.
        start: The last reading's ``start``: along a trajectory it saves half the products and more.
        **options: ``look_every``, ``max_hvps``, ``strict``, ``seed``, ``guard``, ``max_basis`` of `eigenpairs`.

    Returns:
        The eigenpair, with the accuracy reached and its cost: about 15 products cold; warm at 1e-3 mostly one, and
        three or more in every sixth reading, which looks at the neighbours too.

    Raises:
        NotConvergedError: The budget or rounding ended the search early and ``strict`` is not off.
    """
    return eigenpairs(operator, 1, which="largest", tol=tol, start=start, **options)[0]


def lambda_min(
    operator: SymmetricOperator, *, tol: float = 1e-3, start: Start | Tensor | None = None, **options
) -> Eigen:
    """The smallest algebraic eigenvalue, negative at a saddle; otherwise as `lambda_max`.

    Where the spectrum piles up at zero from above, as for overparametrised networks near a minimum, a relative
    accuracy of the smallest eigenvalue is out of reach at any reasonable cost: give ``max_hvps`` and ``strict=False``.
    """
    return eigenpairs(operator, 1, which="smallest", tol=tol, start=start, **options)[0]


def lambda_abs_max(
    operator: SymmetricOperator, *, tol: float = 1e-3, start: Start | Tensor | None = None, **options
) -> Eigen:
    """The eigenvalue of largest magnitude, with its sign, as power iteration finds it; otherwise as `lambda_max`."""
    return eigenpairs(operator, 1, which="magnitude", tol=tol, start=start, **options)[0]


def top_eigenpairs(
    operator: SymmetricOperator, k: int, *, tol: float = 1e-3, start: Start | Tensor | None = None, **options
) -> Eigenpairs:
    """The k largest algebraic eigenvalues, descending, (k,), and unit eigenvectors, (k, P); as `lambda_max`."""
    return eigenpairs(operator, k, which="largest", tol=tol, start=start, **options)


def preconditioned(hessian: SymmetricOperator, preconditioner: Preconditioner) -> Scaled:
    """S H S with S = D^(1/2): the symmetric twin of D H, whose λ_max is to be held against 2/η.

    An eigenvector q of it stands for the eigenvector S q of D H.
    """
    return Scaled(hessian, preconditioner.diagonal.sqrt())


def direction_curvature(operator: SymmetricOperator, direction: Tensor) -> float:
    """Rayleigh quotient d'Hd/d'd along a direction d, shape (P,): one product.

    Raises:
        UndefinedError: d is zero or not finite.
    """
    d = _unit(direction, "direction")
    return _dot(d, operator(d)) / _dot(d, d)


def gradient_curvature(hessian: Hessian) -> float:
    """λ_grad(H) = g'Hg/g'g along the gradient g: one product. Bai et al. (2025), arXiv:2506.04805.

    Raises:
        UndefinedError: The gradient is zero.
    """
    return direction_curvature(hessian, hessian.gradient)


def preconditioned_gradient_curvature(hessian: Hessian, preconditioner: Preconditioner) -> float:
    """λ_grad(D H) = g'DHg/g'g along the gradient g: one product. Bai et al. (2025), arXiv:2506.04805.

    Raises:
        UndefinedError: The gradient is zero.
    """
    g = _unit(hessian.gradient, "gradient")
    return _dot(preconditioner.diagonal.to(g) * g, hessian(g)) / _dot(g, g)


def update_curvature(hessian: Hessian, preconditioner: Preconditioner) -> float:
    """u'Hu/u'g along the preconditioned gradient u = D g: the Rayleigh quotient of S H S along S g, one product.

    Without momentum the step is -η u, and its loss change to second order is -η u'g (1 - η/2 · this): above 2/η the
    loss rises. With momentum D carries the momentum's factor, so 2/η stays the threshold of a quadratic.

    Raises:
        UndefinedError: The gradient is zero.
    """
    diagonal = preconditioner.diagonal.to(hessian.gradient)
    u = _unit(diagonal * _unit(hessian.gradient, "gradient"), "update")
    return _dot(u, hessian(u)) / _dot(u, u / diagonal)  # g = D⁻¹ u, at the length that u was given


def gradient_curvatures(
    operator: SymmetricOperator, gradient: Tensor, preconditioner: Preconditioner
) -> tuple[float, float, float]:
    """λ_grad(H), λ_grad(D H) and the curvature along the update u = D g, as above, by two products in one batch.

    Args:
        operator: H, shape (P, P).
        gradient: g, shape (P,).
        preconditioner: D.

    Raises:
        UndefinedError: The gradient is zero or not finite.
    """
    g, diagonal = _unit(gradient, "gradient"), preconditioner.diagonal.to(gradient)
    u = diagonal * g
    hg, hu = operator(torch.stack([g, u]))
    return _dot(g, hg), _dot(diagonal * g, hg), _dot(u, hu) / _dot(u, g)


def alignment(vector: Tensor, eigenvectors: Tensor) -> float:
    """Cosine of the angle between a vector and the span of orthonormal rows: |cos(g, v)| for a single one.

    Args:
        vector: Shape (P,), the gradient or an update.
        eigenvectors: Shape (P,) or (K, P); for S H S the vector to compare is S g.

    Returns:
        Between 0 and 1; its square is the share of the vector's length² inside the span.

    Raises:
        UndefinedError: The vector is zero.
    """
    unit = _unit(vector, "vector")
    return float((torch.atleast_2d(eigenvectors).double() @ unit.double()).norm().clamp_max(1.0))


def _unit(vector: Tensor, name: str) -> Tensor:
    """A vector's direction; scaled by its largest entry first, since squares of a tiny gradient underflow."""
    largest = vector.abs().max()
    if not (torch.isfinite(largest) and largest > 0):
        state = "zero" if largest == 0 else "not finite"
        raise UndefinedError(f"the {name} is {state}: there is no curvature along it")
    scaled = vector / largest
    return scaled / scaled.norm()


def _dot(a: Tensor, b: Tensor) -> float:
    return float(a.double() @ b.double())
