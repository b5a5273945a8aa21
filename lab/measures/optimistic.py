"""Optimistic sample sizes in closed form: the smallest model rank at which a model expresses a target.

Zhang et al. (2025), 2307.08921, and JMLR 26 (2025); strata as in 2211.11623. Integers, without training or torch;
``lab.measures.model_rank`` reads the same numbers from singular values. Linear models have their number of features;
Σ_j (a_j² - b_j²) x_j and Σ_j a_j^[1] ... a_j^[L] x_j, L >= 2, have the number of non-zero coefficients.
"""


def factorisation_rank(d: int, rank_a: int, rank_b: int) -> int:
    """Model rank of f = A B at a point of factors (d, d) with these ranks: d² - (d - r_A)(d - r_B)."""
    _require(0 <= rank_a <= d and 0 <= rank_b <= d, f"ranks {rank_a}, {rank_b} of {d} x {d} matrices")
    return d * d - (d - rank_a) * (d - rank_b)


def factorisation_size(d: int, rank: int) -> int:
    """Optimistic sample size of a (d, d) matrix of this rank as a product A B: 2rd - r²."""
    _require(0 <= rank <= d, f"rank {rank} of a {d} x {d} matrix")
    return 2 * rank * d - rank * rank


def factorisation_stratum(d: int, samples: int) -> int:
    """Smallest rank r with 2rd - r² >= n: the stratum that the linear stability hypothesis expects at n samples."""
    _require(0 <= samples <= d * d, f"{samples} entries of a {d} x {d} matrix")
    return next(r for r in range(d + 1) if factorisation_size(d, r) >= samples)


def shared_factor_size(second_coefficient: float) -> int:
    """Targets a_0 + a_1 x_1 + a_2 x_2 in f = θ_0 + θ_1 x_1 + θ_2 θ_3 x_2: 2 when a_2 = 0, else 3."""
    return 2 if second_coefficient == 0 else 3


def tanh_size(neurons: int, inputs: int, *, hidden_bias: bool = False) -> int:
    """Targets of k independent neurons in a two-layer tanh net of any width >= k: k(d + 1), or k(d + 2) with bias."""
    _require(neurons >= 0 and inputs >= 1, f"{neurons} neurons on {inputs} inputs")
    return neurons * (inputs + hidden_bias + 1)


def convolution_sizes(
    kernels: int, side: int, kernel: int, *, dims: int = 1, hidden_bias: bool = False
) -> dict[str, int]:
    """Targets of k independent tanh kernels, each followed at every position by its own output weight.

    One hidden layer, stride 1, no padding, no pooling. A kernel has S = s^dims weights, an input D = d^dims numbers, a
    kernel P = (d + 1 - s)^dims positions; b is 1 with a hidden bias, else 0.

    Args:
        kernels: k.
        side: d, the inputs along one dimension.
        kernel: s, the kernel's size along one dimension.
        dims: 1 for sequences, 2 for images.
        hidden_bias: Whether hidden units have a bias, one per kernel where weights are shared.

    Returns:
        "shared", k(S + b + P), for a net that shares weights; "unshared", k(S + b + 1)P, for one that does not; and
        "dense", k(D + b + 1)P, for a fully connected one.
    """
    _require(
        dims in (1, 2) and kernels >= 0 and 1 <= kernel <= side, f"{kernels} kernels of {kernel} on {side}, {dims}-D"
    )
    weights, inputs, positions = kernel**dims + hidden_bias, side**dims + hidden_bias, (side + 1 - kernel) ** dims
    return {
        "shared": kernels * (weights + positions),
        "unshared": kernels * (weights + 1) * positions,
        "dense": kernels * (inputs + 1) * positions,
    }


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"no such model: {what}")
