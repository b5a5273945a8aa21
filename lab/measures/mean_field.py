"""Signal and gradient propagation of infinitely wide networks at initialisation. Doshi et al. (2023), 2111.12143.

Blocks are h' = W φ(h) + b + μ h between pre-activations, W ~ N(0, σ_w²/N), b ~ N(0, σ_b²), with LayerNorm nowhere
("none"), on the pre-activations φ(LN(h)) ("pre") or on the activations LN(φ(h)) ("post", μ = 0 only); as
``lab.models.residual_mlp``. <·>_K is a mean over z ~ N(0, K); K is the mean of h²; J, the averaged partial Jacobian
norm (APJN), grows by χ_J a block:

    none   K' = σ_w² <φ²>_K + σ_b² + μ² K    χ_J = σ_w² <φ'²>_K + μ²                    χ_K = σ_w² d<φ²>_K/dK + μ²
    pre    K' = σ_w² <φ²>_1 + σ_b² + μ² K    χ_J = σ_w² <φ'²>_1/K + μ²                  χ_K = μ²
    post   K' = σ_w² + σ_b²                  χ_J = σ_w² <φ'²>_K/(<φ²>_K - <φ>_K²)       χ_K = 0

Arithmetic on numbers, float64, microseconds a layer. LayerNorm's ε is not part of the theory.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Norm = Literal["none", "pre", "post"]
"""Where LayerNorm sits: nowhere, on the pre-activations φ(LN(h)), or on the activations LN(φ(h))."""


@dataclass(frozen=True)
class Moments:
    """Gaussian means of an activation: <φ>_K, <φ²>_K, <φ'²>_K and the derivative d<φ²>_K/dK."""

    mean: float
    square: float
    slope_square: float
    square_growth: float


@dataclass(frozen=True)
class Propagation:
    """What a network does to signals and gradients, layer by layer from l = 0.

    Attributes:
        variance: K^l, shape (L + 1,).
        chi_j: χ_J of each block, shape (L,).
        chi_k: χ_K = dK'/dK of each block, shape (L,).
        log_apjn: ln J^{0,l}, shape (L + 1,), 0 at l = 0.
    """

    variance: np.ndarray
    chi_j: np.ndarray
    chi_k: np.ndarray
    log_apjn: np.ndarray


def moments(activation: str, variance: float) -> Moments:
    """Gaussian means of ``activation`` at K = ``variance``: closed forms, or quadrature for tanh.

    erf is erf(x), so <φ'²>_0 = 4/π; gelu is the exact x Φ(x). The quadrature's error is below 1e-12 for K <= 1e4.
    """
    if not (math.isfinite(variance) and variance >= 0):
        raise ValueError(f"a variance is finite and not negative, got {variance}")
    if activation not in _MOMENTS:
        raise ValueError(f"no mean-field theory for {activation!r}; there is one for {', '.join(_MOMENTS)}")
    return _MOMENTS[activation](variance)


def propagate(
    activation: str,
    depth: int,
    sigma_w2: float,
    sigma_b2: float = 0.0,
    *,
    mu: float = 0.0,
    norm: Norm = "none",
    start: float = 1.0,
) -> Propagation:
    """Run the recursion of the module's head through ``depth`` blocks from K⁰ = ``start``.

    Raises:
        ValueError: A parameter is out of range, LayerNorm meets K = 0, or K leaves the range of floats.
    """
    variance, chi_j, chi_k = [start], [], []
    for _ in range(depth):
        k, j, dk = _block(activation, variance[-1], sigma_w2, sigma_b2, mu, norm)
        variance.append(k)
        chi_j.append(j)
        chi_k.append(dk)
    with np.errstate(divide="ignore"):
        log_apjn = np.concatenate([[0.0], np.cumsum(np.log(chi_j))])
    return Propagation(np.array(variance), np.array(chi_j), np.array(chi_k), log_apjn)


def critical_sigma_w2(activation: str, mu: float = 0.0) -> float:
    """The σ_w² that is critical without LayerNorm at σ_b = 0, where χ_J = 1 at the fixed point: (1 - μ²)/<φ'²>.

    ReLU 2(1 - μ²), where K is constant; linear 1 - μ², erf π/4 (1 - μ²) and tanh 1 - μ², where K falls to 0.

    Raises:
        ValueError: gelu, which has no such point: K = 0 repels there, from above.
    """
    if activation not in ("linear", "relu", "erf", "tanh"):
        raise ValueError(f"no closed critical point for {activation!r}; there is one for linear, relu, erf and tanh")
    return (1 - mu**2) / moments(activation, 0.0).slope_square


def correlation_depth(chi: float) -> float:
    """ξ = 1/|ln χ*|, the depth in blocks over which J changes by a factor e; infinite at criticality χ* = 1."""
    if not chi > 0:
        raise ValueError(f"χ is positive, got {chi}")
    return 1 / abs(math.log(chi)) if chi != 1 else math.inf


def _block(
    activation: str, variance: float, sigma_w2: float, sigma_b2: float, mu: float, norm: Norm
) -> tuple[float, float, float]:
    """K', χ_J and χ_K of one block at K = ``variance``."""
    if min(sigma_w2, sigma_b2) < 0:
        raise ValueError(f"σ_w² and σ_b² are not negative, got {sigma_w2} and {sigma_b2}")
    if norm == "none":
        m = moments(activation, variance)
        after = sigma_w2 * m.square + sigma_b2 + mu**2 * variance
        return after, sigma_w2 * m.slope_square + mu**2, sigma_w2 * m.square_growth + mu**2
    if norm == "pre":
        m = moments(activation, 1.0)
        if variance == 0:
            raise ValueError("LayerNorm of a signal of variance 0 has no Jacobian; raise σ_w², σ_b² or K⁰")
        after = sigma_w2 * m.square + sigma_b2 + mu**2 * variance
        return after, sigma_w2 * m.slope_square / variance + mu**2, mu**2
    if norm != "post" or mu:
        raise ValueError(f"norm is 'none', 'pre' or (at μ = 0) 'post', got {norm!r} with μ = {mu}")
    m = moments(activation, variance)
    spread = m.square - m.mean**2
    if spread <= 0:
        raise ValueError("LayerNorm of activations of variance 0 has no Jacobian; raise σ_w², σ_b² or K⁰")
    return sigma_w2 + sigma_b2, sigma_w2 * m.slope_square / spread, 0.0


def _linear(k: float) -> Moments:
    return Moments(0.0, k, 1.0, 1.0)


def _relu(k: float) -> Moments:
    return Moments(math.sqrt(k / (2 * math.pi)), k / 2, 0.5, 0.5)


def _erf(k: float) -> Moments:
    root = math.sqrt(1 + 4 * k)
    square = 2 / math.pi * math.asin(2 * k / (1 + 2 * k))
    return Moments(0.0, square, 4 / math.pi / root, 4 / math.pi / (root * (1 + 2 * k)))


def _gelu(k: float) -> Moments:
    root, turn = math.sqrt(1 + 2 * k), math.asin(k / (1 + k)) / (2 * math.pi)
    mean = k / math.sqrt(2 * math.pi * (1 + k))
    square = k / 4 + k * turn + k * k / (math.pi * (1 + k) * root)
    slope = 0.25 + turn + k * (3 + 5 * k) / (2 * math.pi * (1 + k) * root**3)
    growth = 2 * k / (1 + k) - (k / (1 + k)) ** 2 - k * k / ((1 + k) * root**2) + k / (2 * (1 + k))
    return Moments(mean, square, slope, 0.25 + turn + growth / (math.pi * root))


# The trapezoidal rule converges exponentially for a smooth integrand: at step h the poles of tanh(√K z), π/(2√K) away
# from the axis, leave exp(-π²/(h√K)).
_STEP = 24 / 8000
_NODES = _STEP * np.arange(-4000, 4001)
_WEIGHTS = np.exp(-(_NODES**2) / 2) * _STEP / math.sqrt(2 * math.pi)


def _tanh(k: float) -> Moments:
    value = np.tanh(math.sqrt(k) * _NODES)
    slope = 1 - value**2
    # d<φ²>/dK = <φ'² + φφ''> with φ'' = -2 φ φ'
    growth = slope**2 - 2 * value**2 * slope
    return Moments(0.0, *(float(_WEIGHTS @ f) for f in (value**2, slope**2, growth)))


_MOMENTS: dict[str, Callable[[float], Moments]] = {
    "linear": _linear,
    "relu": _relu,
    "erf": _erf,
    "gelu": _gelu,
    "tanh": _tanh,
}
