"""Max-pooling by views gives torch's own bits, and only where it does the same."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import vmap

from lab.measures import quick_pooling
from lab.measures.directions import Plane, flatten, trainable
from lab.measures.landscape import FunctionalLoss, section
from lab.measures.quick_pooling import QuickPooling

IMAGES = torch.randn(3, 2, 9, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2), nn.MaxPool2d((2, 3), (3, 1)), nn.MaxPool2d(1, 4), nn.MaxPool2d(8)]
)
def test_maxima_of_views_are_those_of_the_windows(pool: nn.MaxPool2d, monkeypatch: pytest.MonkeyPatch):
    images = IMAGES.clone()
    images[0, 0, 4, 4] = torch.nan
    expected = pool(images)
    calls = []
    views = quick_pooling._maximum_of_views
    monkeypatch.setattr(quick_pooling, "_maximum_of_views", lambda *args: calls.append(1) or views(*args))
    with QuickPooling():
        torch.testing.assert_close(pool(images), expected, rtol=0, atol=0, equal_nan=True)
        batched = vmap(pool)(torch.stack([images, -images]))
        by_torch = torch.max_pool2d(images, pool.kernel_size, pool.stride)
    torch.testing.assert_close(batched[0], expected, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(by_torch, expected, rtol=0, atol=0, equal_nan=True)
    assert len(calls) == 3


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2, padding=1),
        nn.MaxPool2d(2, dilation=2),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.MaxPool2d(2, return_indices=True),
    ],
)
def test_what_is_more_than_a_maximum_is_left_to_torch(pool: nn.MaxPool2d):
    with QuickPooling():
        found = pool(IMAGES)
    torch.testing.assert_close(found, pool(IMAGES), rtol=0, atol=0)


def test_a_section_of_a_pooling_network_has_the_losses_that_its_points_have_one_by_one():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4))
    targets = torch.tensor([0, 3, 1])
    like = trainable(model)
    directions = torch.randn(2, len(flatten(like)))
    axis = torch.linspace(-1, 1, 5).numpy()
    found = section(
        FunctionalLoss(model, nn.functional.cross_entropy, IMAGES, targets), Plane(like, directions), [axis] * 2
    )

    def at(a: float, b: float) -> Tensor:
        nn.utils.vector_to_parameters(flatten(like) + a * directions[0] + b * directions[1], model.parameters())
        return nn.functional.cross_entropy(model(IMAGES), targets)

    expected = torch.stack([torch.stack([at(a, b) for b in axis.tolist()]) for a in axis.tolist()])
    torch.testing.assert_close(torch.from_numpy(found.values), expected.double().detach(), rtol=1e-5, atol=1e-6)
