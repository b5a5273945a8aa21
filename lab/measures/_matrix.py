"""The checks that every measure of a weight matrix starts with."""

import torch
from torch import Tensor


def as_matrix(weight: Tensor, name: str = "weight") -> Tensor:
    """The matrix (out, in) of a layer in float64: kernels of a convolution are flattened, gradients are cut.

    Raises:
        ValueError: It has no rows or columns, is not real, or holds NaN or infinity.
    """
    if weight.ndim < 2 or weight.numel() == 0:
        raise ValueError(f"{name} needs at least one row and one column, got shape {tuple(weight.shape)}")
    if weight.is_complex():
        raise ValueError(f"{name} must be real, got {weight.dtype}")
    return finite(weight.detach().flatten(1).to(torch.float64), name)


def finite(values: Tensor, name: str) -> Tensor:
    """The values themselves, or a ValueError that counts the ones that are NaN or infinite."""
    bad = int((~torch.isfinite(values)).sum())
    if bad:
        raise ValueError(f"{name}: {bad} of {values.numel()} values are NaN or infinite; measure an earlier step")
    return values
