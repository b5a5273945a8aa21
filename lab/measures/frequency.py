"""Spectra of targets, outputs and residuals, on any sample points, and what is low and high in them.

Frequencies are angular: sin(6x) has k = 6. The transform is F(k) = (1/n) Σ_j y_j exp(-i k·x_j), so that it does not
grow with the number of samples: sin(6x) on a uniform periodic grid gives |F(6)| = 1/2, and it equals FFT/n there. No
window: it would hide aliasing. High-dimensional inputs are read along a unit direction d, with k·x replaced by k
(d·x), or by Gaussian filtering. Sources: Xu, Zhang, Luo, Xiao, Ma 2020 (arXiv 1901.06523) for projection, filtering
and relative error; Zhou, Zhang, Xu 2024 (arXiv 2405.17479) for the spectra of training and test samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_MOST_NUMBERS = 16_000_000  # phases or kernel entries at once


def nudft(x: Tensor, values: Tensor, frequencies: Tensor) -> Tensor:
    """Non-uniform discrete Fourier transform, F(k) = (1/n) Σ_j y_j exp(-i k x_j).

    Exact (a sum, no gridding); cost n K multiplications per output.

    Args:
        x: Sample positions, shape (n,), in radians per unit of k.
        values: y, shape (n,) or (n, outputs); any real dtype; computed in float64 where the device has it.
        frequencies: Angular k, shape (K,); any real numbers.

    Returns:
        Complex F, shape (K,) or (K, outputs).

    Raises:
        ValueError: No samples, or x and values do not belong together.
    """
    if x.ndim != 1 or not len(x) or values.shape[:1] != x.shape:
        raise ValueError(
            f"positions {tuple(x.shape)} and values {tuple(values.shape)}: need (n,) and (n, ...) with n >= 1"
        )
    dtype = torch.float32 if x.device.type == "mps" else torch.float64
    x, frequencies = x.detach().to(dtype), frequencies.to(x.device, dtype)
    flat = values.detach().to(x.device, dtype).reshape(len(x), -1)
    parts = []
    for some in frequencies.split(max(1, _MOST_NUMBERS // len(x))):
        phase = some[:, None] * x
        parts.append(torch.complex(torch.cos(phase) @ flat, -(torch.sin(phase) @ flat)) / len(x))
    return torch.cat(parts).reshape(len(frequencies), *values.shape[1:])


def amplitudes(x: Tensor, values: Tensor, frequencies: Tensor) -> Tensor:
    """|F(k)| of ``nudft``; shape (K,) or (K, outputs)."""
    return nudft(x, values, frequencies).abs()


def principal_direction(flat: Tensor) -> Tensor:
    """First principal direction of inputs (n, D), a unit vector (D,), signed so that its largest component is positive.

    Raises:
        ValueError: All inputs are the same.
    """
    if len(flat) < 2 or not (flat != flat[0]).any():
        raise ValueError(f"{len(flat)} equal samples have no principal direction; give one")
    principal: Tensor = torch.linalg.svd((flat - flat.mean(0)).double(), full_matrices=False)[2][0]
    return principal * principal[principal.abs().argmax()].sign()


def project(inputs: Tensor, direction: Tensor | None = None) -> Tensor:
    """Positions d·x of samples along a unit direction, shape (n,).

    Args:
        inputs: Shape (n, ...), flattened to (n, D).
        direction: d, shape (D,), made a unit vector; by default the first principal direction of the inputs.

    Raises:
        ValueError: The direction is zero, or all inputs are the same.
    """
    flat = inputs.detach().reshape(len(inputs), -1)
    if direction is None:
        direction = principal_direction(flat)
    direction = direction.detach().to(flat).reshape(-1)
    if not direction.norm() > 0:
        raise ValueError("the direction is zero")
    return flat @ (direction / direction.norm())


def relative_error(target: Tensor, output: Tensor) -> Tensor:
    """|D(k) - F(k)| / |D(k)| of transforms of targets D and outputs F: 1 while unlearned, 0 when fitted, per frequency.

    Args:
        target: Complex D, shape (K, ...).
        output: Complex F, same shape, or (T, K, ...) for T moments.

    Returns:
        Same shape as ``output``; infinite or NaN where the target has nothing at k, so judge at its peaks only.
    """
    return (target - output).abs() / target.abs()


def peaks(amplitude: Tensor, share: float = 0.1) -> Tensor:
    """Indices of a spectrum's local maxima of at least ``share`` x the largest amplitude, ascending.

    The first and last count when they exceed their one neighbour. ``amplitude`` has shape (K,).
    """
    padded = torch.nn.functional.pad(amplitude, (1, 1), value=-1.0)
    higher = (amplitude > padded[:-2]) & (amplitude >= padded[2:]) & (amplitude >= share * amplitude.max())
    return higher.nonzero()[:, 0]


def low_frequency_ratio(transform: Tensor, frequencies: Tensor, cutoff: float) -> Tensor:
    """Σ_{|k| <= cutoff} |F_k|² / Σ_k |F_k|² along the first axis, frequency 0 included; NaN for a zero function.

    One-sided frequencies count once, as in numpy.fft.rfft's power. ``transform`` has shape (K, ...).
    """
    power = transform.abs().square()
    low = power[frequencies.to(power.device).abs() <= cutoff]
    return low.sum(0) / power.sum(0)


def sine_coefficients(values: Tensor, count: int) -> Tensor:
    """E_k = ∫_{-1}^{1} f(x) sin(kπx) dx, k = 1..count, by the trapezoid rule; f = sin(kπx) gives E_k = 1.

    Args:
        values: f on n >= 2 equispaced points of [-1, 1], both ends included, shape (n,) or (..., n).
        count: Number of coefficients; below (n - 1) / 2, where the rule aliases.

    Returns:
        Shape (count,) or (..., count).
    """
    n = values.shape[-1]
    if not 0 < count < (n - 1) / 2:
        raise ValueError(f"{count} sine coefficients from {n} points; the rule is exact below {(n - 1) / 2:g}")
    x = torch.linspace(-1, 1, n, dtype=values.dtype, device=values.device)
    k = torch.arange(1, count + 1, dtype=values.dtype, device=values.device)
    weights = torch.full((n,), 2 / (n - 1), dtype=values.dtype, device=values.device)
    weights[[0, -1]] /= 2
    return (values * weights) @ torch.sin(torch.pi * x[:, None] * k)


@dataclass(frozen=True)
class Split:
    """Low- and high-frequency part of values at samples; they add up to the values. Same shapes as the values."""

    low: Tensor
    high: Tensor


def gaussian_split(inputs: Tensor, values: Tensor, widths: Sequence[float]) -> list[Split]:
    """Low and high part in any dimension: y_low(x_i) = Σ_j G(x_i - x_j) y_j / Σ_j G(x_i - x_j), high = y - low.

    G(x) = exp(-|x|² / (2δ²)), whose transform is a Gaussian of width 1/δ in k: frequencies |k| << 1/δ are low. Cost
    n² (D + outputs).

    Args:
        inputs: Samples (n, ...), flattened to (n, D).
        values: (n,) or (n, outputs).
        widths: δ > 0, in units of the inputs; one split each.
    """
    if not len(inputs) or len(inputs) != len(values):
        raise ValueError(f"{len(inputs)} inputs and {len(values)} values; need as many of both, at least one")
    if min(widths) <= 0:
        raise ValueError(f"width {min(widths)}; it must be positive")
    x, y = inputs.detach().reshape(len(inputs), -1), values.detach()
    flat = y.reshape(len(y), -1).double()
    lows: list[list[Tensor]] = [[] for _ in widths]
    for some in x.double().split(max(1, _MOST_NUMBERS // len(x))):
        squared = torch.cdist(some, x.double(), compute_mode="donot_use_mm_for_euclid_dist").square()
        for low, width in zip(lows, widths, strict=True):
            kernel = torch.exp(-squared / (2 * width**2))
            low.append(kernel @ flat / kernel.sum(1, keepdim=True))
    smooth = [torch.cat(low).reshape(y.shape).to(y.dtype) for low in lows]
    return [Split(low, y - low) for low in smooth]


def split_errors(inputs: Tensor, target: Tensor, output: Tensor, widths: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Relative errors of the low and of the high part, e = (Σ|y_part - h_part|² / Σ|y_part|²)^(1/2), per width.

    Filtering is linear, so the residual is filtered once. ``target`` and ``output`` have one shape, (n,) or (n,
    outputs).

    Returns:
        (e_low, e_high), float64, shape (len(widths),) each.
    """
    if target.shape != output.shape:
        raise ValueError(f"targets {tuple(target.shape)} and outputs {tuple(output.shape)} differ in shape")
    residual, own = (gaussian_split(inputs, y.double(), widths) for y in (target - output, target))
    pairs = list(zip(residual, own, strict=True))
    low = torch.stack([r.low.norm() / t.low.norm() for r, t in pairs])
    high = torch.stack([r.high.norm() / t.high.norm() for r, t in pairs])
    return low, high
