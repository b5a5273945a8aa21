"""An optimiser's step as a diagonal D times the gradient: η λ_max(D H) < 2 is stability on a quadratic.

With m the factor of the optimiser's momentum and P its preconditioner, D = m P⁻¹. Momentum raises the threshold:
2(1+μ)/η for PyTorch's heavy ball v <- μ v + (1-d) g with dampening d = 0, so m = (1-d)/(1+μ); 2(1+μ)/((1+2μ)η) for
Nesterov's, so m = (1+2μ)/(1+μ); 2(1+β1)/((1-β1)η) for an exponential average, so m = (1-β1)/(1+β1). Goh (2017),
doi:10.23915/distill.00006; Cohen et al. (2021), arXiv:2103.00065; Adam: Cohen et al. (2022),
arXiv:2207.14484, with its bias corrections.

L2 weight decay of SGD, RMSProp and Adam belongs to the loss: put it into the closure. AdamW's decoupled decay is not
in D.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.measures.operators import UndefinedError, flatten, trainable, unflatten


@dataclass(frozen=True)
class Preconditioner:
    """D = m P⁻¹ as its diagonal, shape (P,), positive, and the learning rate η whose 2/η is the threshold."""

    diagonal: Tensor
    lr: float

    @property
    def threshold(self) -> float:
        """2/η."""
        return 2 / self.lr


def heavy_ball_factor(momentum: float, dampening: float = 0.0, nesterov: bool = False) -> float:
    """m for PyTorch's SGD; 1 without momentum."""
    if momentum == 0:
        return 1.0  # PyTorch ignores the dampening then
    return (1 + 2 * momentum) / (1 + momentum) if nesterov else (1 - dampening) / (1 + momentum)


def adam_diagonal(second_moment: Tensor, step: int, betas: tuple[float, float], eps: float) -> Tensor:
    """D of Adam: 1/(1-β1^t) · (1-β1)/(1+β1) · 1/(√v̂ + ε) with v̂ = v/(1-β2^t).

    Args:
        second_moment: v after t steps, any shape.
        step: t, at least 1.
        betas: (β1, β2).
        eps: ε.

    Returns:
        Same shape as v.
    """
    beta1, beta2 = betas
    if step < 1:
        raise UndefinedError(
            "Adam has taken no step yet, so its second moment is not there: step first or give the gradient"
        )
    factor = (1 - beta1) / (1 + beta1) / (1 - beta1**step)
    return factor / ((second_moment / (1 - beta2**step)).sqrt() + eps)


def rmsprop_diagonal(second_moment: Tensor, eps: float, momentum: float = 0.0, mean: Tensor | None = None) -> Tensor:
    """D of PyTorch's RMSProp, m/(√v + ε) without bias correction; ``mean`` is the centred variant's mean gradient."""
    variance = second_moment if mean is None else second_moment - mean**2
    return heavy_ball_factor(momentum) / (variance.clamp_min(0).sqrt() + eps)


def preconditioner(
    optimizer: torch.optim.Optimizer, params: Iterable[Tensor], gradient: Tensor | None = None
) -> Preconditioner:
    """D of an SGD, RMSprop, Adam or AdamW optimiser in its present state.

    Args:
        optimizer: Any of the four. With several learning rates the first parameter's is η, and the others' ratios go
            into D.
        params: The parameters the Hessian is by, in its order.
        gradient: The coming step's gradient, shape (P,). Given, D is the one this coming step will use, which
            belongs with the Hessian at the present parameters; otherwise that of the last step taken.

    Returns:
        D and η.

    Raises:
        UndefinedError: The optimiser has no state yet and no gradient is given, or its groups differ in momentum.
        TypeError: Another kind of optimiser.
    """
    params = trainable(params)
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    if not all(id(p) in groups for p in params):
        raise ValueError("the optimiser does not train every one of the parameters: pass those it was built with")
    momenta = {(g.get("momentum"), g.get("betas", (None,))[0]) for g in (groups[id(p)] for p in params)}
    if len(momenta) > 1:
        raise UndefinedError(
            "the parameter groups differ in momentum, so no single threshold exists: read the groups one by one"
        )
    lr = float(groups[id(params[0])]["lr"])
    upcoming = unflatten(gradient, params) if gradient is not None else [None] * len(params)
    pieces = []
    for p, g in zip(params, upcoming, strict=True):
        group = groups[id(p)]
        pieces.append(float(group["lr"]) / lr * _diagonal(optimizer, group, optimizer.state.get(p, {}), p, g))
    return Preconditioner(flatten(pieces), lr)


def _diagonal(optimizer: torch.optim.Optimizer, group: dict, state: dict, p: Tensor, g: Tensor | None) -> Tensor:
    if isinstance(optimizer, torch.optim.SGD):
        factor = heavy_ball_factor(group["momentum"], group["dampening"], group["nesterov"])
        return torch.full_like(p, factor, requires_grad=False)
    if isinstance(optimizer, torch.optim.RMSprop):
        v = _average(state.get("square_avg"), None if g is None else g**2, group["alpha"], p)
        mean = _average(state.get("grad_avg"), g, group["alpha"], p) if group["centered"] else None
        return rmsprop_diagonal(v, group["eps"], group["momentum"], mean)
    if isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW):
        step = int(state.get("step", 0)) + (g is not None)
        v = _average(state.get("exp_avg_sq"), None if g is None else g**2, group["betas"][1], p)
        if group["amsgrad"]:
            v = torch.maximum(v, state.get("max_exp_avg_sq", v))
        return adam_diagonal(v, step, group["betas"], group["eps"])
    raise TypeError(
        f"no preconditioner is known for {type(optimizer).__name__}; build a Preconditioner from its diagonal"
    )


def _average(old: Tensor | None, new: Tensor | None, decay: float, p: Tensor) -> Tensor:
    """The moving average after ``new`` came in, or as it is."""
    if old is None and new is None:
        raise UndefinedError(
            "the optimiser has taken no step yet, so it has no second moment: step first or give the gradient"
        )
    old = torch.zeros_like(p, requires_grad=False) if old is None else old
    return old if new is None else decay * old + (1 - decay) * new
