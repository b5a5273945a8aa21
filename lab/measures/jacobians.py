"""Jacobians between the layers of a network: their averaged norm (APJN), spectra, and the signals that pass both ways.

Doshi et al. (2023), 2111.12143. A network is given as its blocks, functions h^l -> h^{l+1} on batches (B, ...), as from
``MLP.blocks()``: between pre-activations where the paper's constants are wanted, one block off between activations.
Blocks must treat the samples of a batch apart (BatchNorm in evaluation mode) and draw nothing (no active dropout).

    J^{0,l} = (1/N_l) E_samples ‖∂h^l/∂h⁰‖_F²

N_l counts the numbers of h^l of one sample. At a kink, as ReLU's, torch's own slope is taken, 0. Everything is returned
as ln J, kept block by block, because a chaotic network of 50 blocks leaves float32. Values stay differentiable in the
blocks' parameters; call under ``torch.no_grad()`` to measure only.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from lab.measures._matrix import finite

Block = Callable[[Tensor], Tensor]


def log_apjn(
    blocks: Iterable[Block],
    h: Tensor,
    *,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    chunk: int = 64,
) -> Tensor:
    """ln J^{0,l} for l = 1 ... L, the whole curve in one forward pass of tangents.

    J u for u uniform on the unit sphere of h⁰ has E‖J u‖² = ‖J‖_F²/N_0, so pushing tangents forward gives every l at
    once, L block passes per probe; reverse probes at each output would need L²/2. The curve's errors are correlated
    over l.

    Args:
        blocks: The network, L blocks.
        h: Inputs h⁰, shape (B, ...).
        probes: Random tangents per sample; None is exact and costs N_0 of them.
        generator: CPU generator of the probes.
        chunk: Tangents pushed at a time, which bounds the memory to chunk·B·N.

    Returns:
        ln J, shape (L,), float64; -inf where every Jacobian is zero. With P probes of B samples each value has a
        relative standard error of about √(2/(P·B)) at most, less for flat spectra.
    """
    blocks = list(blocks)
    states = layer_states(blocks, h)
    sums: list[Tensor] = []
    count = 0
    for tangents in _tangents(h, probes, generator, chunk):
        sums.append(torch.stack([_log_sum(t) for t in _push_all(blocks, states, tangents)]))
        count += len(tangents) * len(h)
    scale = [math.log(_size(h) / (count * _size(state))) for state in states[1:]]
    per_layer = torch.tensor(scale, dtype=torch.float64, device=h.device)
    return _checked(torch.logsumexp(torch.stack(sums), dim=0) + per_layer)


def log_block_apjn(
    blocks: Iterable[Block],
    h: Tensor,
    *,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    chunk: int = 64,
) -> Tensor:
    """ln J^{l,l+1} of every block alone, shape (L,): the adjacent APJN, χ_J of a finite network.

    Arguments and accuracy as in ``log_apjn``, with fresh probes in every block. The sum over blocks is not ln J^{0,L}
    of a finite network, whose Jacobians are not independent of their inputs.
    """
    blocks = list(blocks)
    states = layer_states(blocks, h)
    return torch.cat(
        [
            log_apjn([block], state, probes=probes, generator=generator, chunk=chunk)
            for block, state in zip(blocks, states, strict=False)
        ]
    )


def push_tangents(block: Block, h: Tensor, tangents: Tensor) -> Tensor:
    """J t of one block at h (B, ...) for tangents t (P, B, ...), shape (P, B, ...). Cost: P block passes."""
    return torch.func.vmap(lambda t: torch.func.jvp(block, (h,), (t,))[1])(tangents)


def unit_tangents(h: Tensor, probes: int, generator: torch.Generator | None = None) -> Tensor:
    """``probes`` tangents for each sample of h (B, ...), uniform on the unit sphere, shape (P, B, ...)."""
    (tangents,) = _tangents(h, probes, generator, probes)
    return tangents


def block_jacobian(block: Block, h: Tensor) -> Tensor:
    """The dense Jacobian of one block for every sample, shape (B, N_out, N_in). Cost: N_in tangents."""
    (basis,) = _tangents(h, None, None, _size(h))
    return push_tangents(block, h, basis).flatten(2).permute(1, 2, 0)


def jacobian_singular_values(block: Block, h: Tensor) -> Tensor:
    """The spectrum of one block's Jacobian: singular values, descending, shape (B, min(N_out, N_in)), float64.

    A Gaussian block of width N and χ = σ_w² <φ'²> has a mean square of χ. Cost: the dense Jacobian and B SVDs.
    """
    return torch.linalg.svdvals(finite(block_jacobian(block, h).double(), "Jacobian"))


def layer_states(blocks: Iterable[Block], h: Tensor) -> list[Tensor]:
    """h⁰ ... h^L, shapes (B, ...)."""
    if h.ndim < 2 or h.numel() == 0:
        raise ValueError(f"inputs (B, ...) need at least one sample and one number in it, got shape {tuple(h.shape)}")
    states = [finite(h, "input")]
    for block in blocks:
        states.append(block(states[-1]))
    if len(states) == 1:
        raise ValueError("a network needs at least one block")
    return states


def signal_variances(blocks: Iterable[Block], h: Tensor) -> Tensor:
    """K^l = mean of (h^l)² over units and samples, l = 0 ... L, shape (L + 1,), float64. Cost: one forward pass."""
    return finite(torch.stack([state.double().square().mean() for state in layer_states(blocks, h)]), "signal")


def log_gradient_variances(blocks: Iterable[Block], h: Tensor, gradient: Tensor) -> Tensor:
    """ln of the mean square of ∂L/∂h^l over units and samples, l = 0 ... L, shape (L + 1,), float64.

    Args:
        blocks: The network.
        h: Inputs h⁰, shape (B, ...).
        gradient: ∂L/∂h^L, shape of h^L; random N(0, 1) entries show what any loss would see at initialisation.

    Returns:
        The logarithms, -inf where no gradient arrives. Cost: one forward and one backward pass.
    """
    blocks = list(blocks)
    states = layer_states(blocks, h.detach())
    gradient = finite(gradient.detach(), "gradient")
    scale, logs = 0.0, []
    for block, state in zip([None, *reversed(blocks)], reversed(states), strict=True):
        if block is not None:
            with torch.enable_grad():
                inputs = state.detach().requires_grad_()
                (gradient,) = torch.autograd.grad(block(inputs), inputs, gradient)
        size = float(gradient.double().square().mean().sqrt())
        logs.append(2 * (scale + math.log(size)) if size > 0 else -math.inf)
        if size > 0:
            gradient, scale = gradient / size, scale + math.log(size)
    return _checked(torch.tensor(logs[::-1], dtype=torch.float64))


def correlations(blocks: Iterable[Block], first: Tensor, second: Tensor) -> Tensor:
    """Mean cosine between h^l of two batches, sample by sample, l = 0 ... L, shape (L + 1,), float64.

    It goes to 1 in the ordered phase; the depth it takes is the correlation depth ξ.
    """
    blocks = list(blocks)
    pairs = zip(layer_states(blocks, first), layer_states(blocks, second), strict=True)
    return torch.stack([torch.cosine_similarity(a.flatten(1).double(), b.flatten(1).double()).mean() for a, b in pairs])


def _size(h: Tensor) -> int:
    return h[0].numel()


def _tangents(h: Tensor, probes: int | None, generator: torch.Generator | None, chunk: int) -> Iterator[Tensor]:
    """Unit tangents of shape (P, B, ...): the basis of every sample's space, or random ones, ``chunk`` at a time."""
    total = _size(h) if probes is None else probes
    if total < 1 or chunk < 1:
        raise ValueError(f"probes and chunk are at least 1, got {probes} and {chunk}")
    for start in range(0, total, chunk):
        rows = range(start, min(start + chunk, total))
        if probes is None:
            unit = torch.eye(_size(h), dtype=h.dtype, device=h.device)[rows.start : rows.stop, None]
            yield unit.expand(-1, len(h), -1).reshape(-1, *h.shape)
        else:  # drawn on the CPU, so that every device sees the same probes
            draw = torch.randn(len(rows), len(h), _size(h), generator=generator, dtype=torch.float64)
            draw = draw / torch.linalg.vector_norm(draw, dim=2, keepdim=True)
            yield draw.to(h).reshape(-1, *h.shape)


def _push_all(blocks: Sequence[Block], states: Sequence[Tensor], tangents: Tensor) -> Iterator[Tensor]:
    """ln‖J^{0,l} u‖ after every block, shape (P, B): tangents are renormalised, so nothing overflows."""
    logs = torch.zeros(tangents.shape[:2], dtype=torch.float64, device=tangents.device)
    for block, h in zip(blocks, states, strict=False):
        tangents = push_tangents(block, h, tangents)
        norm = torch.linalg.vector_norm(tangents.flatten(2).double(), dim=2)
        alive = norm > 0
        safe = torch.where(alive, norm, 1.0)
        logs = torch.where(alive, logs + safe.log(), -math.inf)
        tangents = tangents / safe.to(tangents.dtype).reshape(*safe.shape, *[1] * (tangents.ndim - 2))
        yield logs


def _log_sum(logs: Tensor) -> Tensor:
    return torch.logsumexp(2 * logs.flatten(), dim=0)


def _checked(values: Tensor) -> Tensor:
    if bool(values.isnan().any()) or bool((values == math.inf).any()):
        layer = int((values.isnan() | (values == math.inf)).int().argmax()) + 1
        raise ValueError(f"the signal or its Jacobian is NaN or infinite at layer {layer}; use float64 or fewer blocks")
    return values
