"""The small CNN equals its convolutions written out, and comes from its generator."""

import pytest
import torch

from lab.models.cnn import SmallCNN


def made(seed: int = 0, **options: object) -> SmallCNN:
    options = {"channels": (3, 4), "dtype": torch.float64} | options
    return SmallCNN((2, 6, 9), 5, torch.Generator().manual_seed(seed), **options)


def convolved(x: torch.Tensor, layer: torch.nn.Conv2d) -> torch.Tensor:
    """3x3 convolution with one ring of zeros, by loops."""
    channels, height, width = x.shape
    padded = torch.zeros(channels, height + 2, width + 2, dtype=x.dtype)
    padded[:, 1:-1, 1:-1] = x
    out = torch.zeros(len(layer.weight), height, width, dtype=x.dtype)
    for i in range(height):
        for j in range(width):
            out[:, i, j] = (layer.weight * padded[None, :, i : i + 3, j : j + 3]).sum((1, 2, 3)) + layer.bias
    return out


def pooled(x: torch.Tensor, take: str) -> torch.Tensor:
    patches = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2].unfold(1, 2, 2).unfold(2, 2, 2).flatten(-2)
    return patches.mean(-1) if take == "average" else patches.amax(-1)


@pytest.mark.parametrize("pooling", ["average", "max"])
@torch.no_grad()
def test_forward_is_what_the_loops_compute(pooling):
    model = made(activation="tanh", pooling=pooling)
    image = torch.randn(2, 6, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = pooled(convolved(image, model.first).tanh(), pooling)
    x = pooled(convolved(x, model.second).tanh(), pooling)
    expected = x.flatten() @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(image[None])[0], expected)


def test_weights_come_from_the_generator_alone():
    state = torch.get_rng_state()
    first, again, other = made(), made(), made(1)
    assert torch.equal(torch.get_rng_state(), state)
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b) and not torch.equal(a, c)
    assert first.second.weight.abs().max().item() == pytest.approx(27**-0.5, rel=0.1)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="4x4"):
        SmallCNN((1, 3, 8), 5, torch.Generator())
    with pytest.raises(ValueError, match="'swish'"):
        made(activation="swish")
    with pytest.raises(ValueError, match=r"\(1, 2, 6, 8\)"):
        made()(torch.zeros(1, 2, 6, 8, dtype=torch.float64))
