"""Condensation: a layer's neurons gather in a few input-weight directions. Luo et al. (2021), Zhang and Xu (2024).

A neuron is a row of the input weights w̃_k = (w_k, b_k), its bias appended where the layer has one. Directions are
compared by their cosines D_ij = ŵ_i·ŵ_j. A neuron of norm zero has no direction: it is masked, never divided by.
"""

import numpy as np
import torch
from torch import Tensor

from lab.measures._matrix import as_matrix, finite


def with_bias(weight: Tensor, bias: Tensor | None) -> Tensor:
    """The rows (w_k, b_k), shape (m, d + 1), of a layer's weight (m, d) and bias (m,); without a bias the rows w_k."""
    return weight.flatten(1) if bias is None else torch.cat([weight.flatten(1), bias[:, None]], dim=1)


def directions(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Unit input-weight directions of the neurons, ŵ_k = w̃_k/‖w̃_k‖, and their norms.

    Args:
        weight: Input weights, one neuron a row, shape (m, d); kernels (m, c, h, w) are flattened.

    Returns:
        Directions, shape (m, d), float64, zero for a neuron of norm zero; norms, shape (m,), in units of the weight.
    """
    rows = as_matrix(weight)
    largest = rows.abs().amax(dim=1, keepdim=True)
    # scaled by the largest entry first: the squares of weights near 1e-200 would vanish
    scaled = rows / torch.where(largest > 0, largest, 1.0)
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return scaled / torch.where(length > 0, length, 1.0), (length * largest).squeeze(1)


def cosine_matrix(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine similarity of the neurons' directions, D_ij = ŵ_i·ŵ_j.

    Args:
        weight: Input weights, shape (m, d).

    Returns:
        D in [-1, 1], shape (m, m), float64, with zero rows and columns for neurons of norm zero; and the mask of the
        other, ``alive`` neurons, shape (m,). Cost: m²d multiplications.
    """
    unit, norms = directions(weight)
    return (unit @ unit.T).clamp_(-1.0, 1.0), norms > 0


def leading_order(weight: Tensor) -> Tensor:
    """The order of neurons that shows condensation as blocks: ascending entries of D's leading eigenvector.

    D = ŴŴᵀ shares its eigenvalues with ŴᵀŴ (d, d), and the smaller of the two is diagonalised. The vector's sign
    makes the first of its large entries positive, so that the picture does not flip from reading to reading. Where
    the two largest eigenvalues are equal, any vector between theirs may result.

    Returns:
        Indices of the m neurons, those of norm zero last. Cost: that of a min(m, d) eigenproblem.
    """
    unit, norms = directions(weight)
    if unit.shape[1] < unit.shape[0]:
        leading = unit @ torch.linalg.eigh(unit.T @ unit).eigenvectors[:, -1]
    else:
        leading = torch.linalg.eigh(unit @ unit.T).eigenvectors[:, -1]
    size = leading.abs()
    leading = leading * torch.sign(leading[(size > size.max() / 2).int().argmax()])
    return torch.argsort(torch.where(norms > 0, leading, torch.inf), stable=True)


def group_labels(weight: Tensor, threshold: float = 0.95, *, up_to_sign: bool = True) -> Tensor:
    """Greedy cover of the directions: the first neuron without a group founds one and takes in all close to it.

    Close means |D_ij| > threshold, or D_ij > threshold with ``up_to_sign=False``. The groups depend on the neurons'
    order, and no two founders are close. Zhang and Xu (2024) take 0.95; the transformer studies 0.4 or 0.7.

    Returns:
        The group of each neuron, shape (m,), numbered in the order of founding; -1 for a neuron of norm zero. A
        stable argsort of it is an order by groups. Cost: m²d, then m per group.
    """
    _require_threshold(threshold)
    cosines, alive = cosine_matrix(weight)
    close = ((cosines.abs() if up_to_sign else cosines) > threshold).cpu().numpy()
    ungrouped = alive.cpu().numpy()
    labels = np.full(len(close), -1)
    for group in range(len(close)):
        founder = int(ungrouped.argmax())
        if not ungrouped[founder]:
            break
        members = close[founder] & ungrouped
        members[founder] = True
        labels[members] = group
        ungrouped = ungrouped & ~members
    return torch.from_numpy(labels)


def merged(weight: Tensor, out_weight: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Neurons of which the first of each group has its mean input weights and summed output weight, the others zero.

    Args:
        weight: Input weights, shape (m, d).
        out_weight: Output weights, shape (m,).
        labels: Groups as of ``group_labels``, shape (m,).
    """
    rows, out = weight.clone(), out_weight.clone()
    for group in range(int(labels.max()) + 1):
        members = torch.nonzero(labels == group).flatten().to(rows.device)
        mean, total = rows[members].mean(0), out[members].sum()
        rows[members], out[members] = 0.0, 0.0
        rows[members[0]], out[members[0]] = mean, total
    return rows, out


def effective_neuron_number(weight: Tensor, threshold: float = 0.95, *, up_to_sign: bool = True) -> int:
    """m_eff, the number of groups of ``group_labels``; 0 when every neuron has norm zero. Zhang and Xu (2024)."""
    return int(group_labels(weight, threshold, up_to_sign=up_to_sign).max()) + 1


def condensed_fraction(weight: Tensor, threshold: float = 0.95, *, up_to_sign: bool = True) -> float:
    """Share of the pairs i < j of neurons with |D_ij| > threshold (D_ij > threshold with ``up_to_sign=False``).

    Neurons are not paired with themselves, so that independent directions give 0 and not 1/m. NaN with fewer than two
    neurons of non-zero norm.
    """
    _require_threshold(threshold)
    cosines, pairs = _off_diagonal(weight)
    return float(((cosines.abs() if up_to_sign else cosines) > threshold).sum().double() / pairs)


def mean_abs_cosine(weight: Tensor) -> float:
    """Mean of |D_ij| over the pairs i < j: about √(2/(πd)) for independent Gaussian rows of d entries, 1 when
    condensed.

    NaN with fewer than two neurons of non-zero norm.
    """
    cosines, pairs = _off_diagonal(weight)
    return float(cosines.abs().sum() / pairs)


def weighted_condensed_fraction(weight: Tensor, amplitude: Tensor, threshold: float = 0.99) -> float:
    """Σ_ij A_i A_j [|D_ij| > threshold] / (Σ_i A_i)²: the condensed fraction as the output sees it.

    The sum includes i = j, so m equal amplitudes in independent directions give 1/m. In one dimension directions
    crowd on a circle and the number of groups says nothing; this weighted share still tells condensed from not.

    Args:
        weight: Input weights, shape (m, d).
        amplitude: A_k >= 0, shape (m,), as from ``amplitudes``.
        threshold: Cosine above which two neurons count as one.

    Returns:
        The share, in [0, 1]; NaN when all amplitudes are zero.
    """
    _require_threshold(threshold)
    cosines, alive = cosine_matrix(weight)
    if amplitude.shape != alive.shape or bool((amplitude < 0).any()):
        raise ValueError(f"amplitude needs shape {tuple(alive.shape)} and no negative entry")
    mass = torch.where(alive, finite(amplitude.detach().double(), "amplitude"), 0.0)
    return float(mass @ (cosines.abs() > threshold).double() @ mass / mass.sum() ** 2)


def amplitudes(weight: Tensor, out_weight: Tensor) -> Tensor:
    """A_k = ‖a_k‖ ‖w̃_k‖, shape (m,), from input weights (m, d) and output weights (c, m) or (m,)."""
    outgoing = torch.linalg.vector_norm(as_matrix(torch.atleast_2d(out_weight), "out_weight"), dim=0)
    return outgoing * directions(weight)[1]


def angles(weight: Tensor, bias: Tensor) -> Tensor:
    """Orientation of neurons with one input: the angle of (w_k, b_k), sign(b) arccos(w/‖w̃‖), in [-π, π).

    Args:
        weight: Shape (m, 1) or (m,).
        bias: Shape (m,).

    Returns:
        Angles in radians, shape (m,), float64; NaN for a neuron of norm zero.
    """
    rows = as_matrix(torch.stack([weight.flatten(), bias.flatten()], dim=1))
    angle = torch.atan2(rows[:, 1], rows[:, 0])
    angle = torch.where(angle == torch.pi, -torch.pi, angle)
    return torch.where(rows.abs().amax(dim=1) > 0, angle, torch.nan)


def dropout_regulariser(hidden: Tensor, out_weight: Tensor, keep: float) -> Tensor:
    """R₁ = (1-q)/(2nq) Σ_ij ‖W_out,j h_j(x_i)‖², what dropout adds to (1/2n) Σ‖f - y‖². Zhang and Xu (2024).

    With one inverted dropout layer (kept units divided by q) before a linear output this is exact: the mean over all
    masks of the dropout loss is the plain loss + R₁.

    Args:
        hidden: Activations before dropout, shape (n, m).
        out_weight: Output weights, shape (c, m).
        keep: q, the probability that a unit is kept, in (0, 1]; 1 - torch's drop probability.

    Returns:
        R₁, shape (), differentiable in both tensors, in units of the loss. Cost: m(n + c).
    """
    if not 0 < keep <= 1:
        raise ValueError(f"the keep probability is in (0, 1], got {keep}")
    if hidden.ndim != 2 or out_weight.ndim != 2 or hidden.shape[1] != out_weight.shape[1] or len(hidden) == 0:
        shapes = f"{tuple(hidden.shape)} and {tuple(out_weight.shape)}"
        raise ValueError(f"hidden (n, m) and out_weight (c, m) need the same m and n > 0, got {shapes}")
    per_unit = (hidden * hidden).sum(0) @ (out_weight * out_weight).sum(0)
    return (1 - keep) / (2 * len(hidden) * keep) * per_unit


def _off_diagonal(weight: Tensor) -> tuple[Tensor, Tensor]:
    """D with a zero diagonal, and the number k(k - 1) of ordered pairs among the k neurons that have a direction."""
    cosines, alive = cosine_matrix(weight)
    count = alive.sum()
    return cosines.fill_diagonal_(0.0), count * (count - 1)


def _require_threshold(threshold: float) -> None:
    if not 0 < threshold < 1:
        raise ValueError(f"a cosine threshold is in (0, 1), got {threshold}")
