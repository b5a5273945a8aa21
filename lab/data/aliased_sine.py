"""Where sin kx is sampled: evenly, or so unevenly that sin x and sin 3x fit many of the samples as well.

Zhou, Zhang, Xu 2024, arXiv 2405.17479.
"""

import numpy as np

CANDIDATES = 10_000


def even_positions(count: int) -> np.ndarray:
    """``count`` evenly spaced points of [-π, π], both ends included, float64."""
    return np.linspace(-np.pi, np.pi, count)


def aliased_positions(count: int, frequency: int = 6, *, near_first: int = 20, near_third: int = 10) -> np.ndarray:
    """Points of [-π, π] that give sin(frequency x) a spurious low frequency.

    Of 10 000 evenly spaced candidates, those at which sin x comes closest to the target and those at which sin 3x does,
    then an even grid. Ties go to the smaller x; a point may be there twice.

    Args:
        count: Number of points in all.
        frequency: Of the target.
        near_first: Points chosen by |sin x - target|.
        near_third: Points chosen by |sin 3x - target|.

    Returns:
        Shape (count,), float64.

    Raises:
        ValueError: Fewer points than the chosen ones.
    """
    rest = count - near_first - near_third
    if rest < 0:
        raise ValueError(f"{count} samples cannot hold {near_first} + {near_third} chosen ones; ask for more")
    x = even_positions(CANDIDATES)
    target = np.sin(frequency * x)
    chosen = [
        x[np.argsort(np.abs(np.sin(low * x) - target), kind="stable")[:some]]
        for low, some in ((1, near_first), (3, near_third))
    ]
    return np.concatenate([*chosen, even_positions(rest)])
