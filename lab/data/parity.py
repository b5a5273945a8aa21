"""Parity: the product of bits in {-1, 1}, whose spectrum along (1, ..., 1) is one high frequency."""

import torch


def parity(bits: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """All inputs, shape (2^bits, bits), and the product of their bits, shape (2^bits,).

    Along d = (1, ..., 1)/√bits the product is a wave of frequency k = π √bits / 2: flipping one bit moves d·x by
    2/√bits and turns the sign.
    """
    numbers = torch.arange(2**bits)[:, None] >> torch.arange(bits)
    inputs = (2 * (numbers & 1) - 1).to(dtype)
    return inputs, inputs.prod(1)
