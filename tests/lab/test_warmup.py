"""Warm-up and cosine against torch's own schedulers and closed values."""

import pytest
import torch

from lab.warmup import warmup_share


def test_the_rate_rises_in_a_line_and_stays():
    assert [warmup_share(step, warmup=4) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert warmup_share(0, warmup=0) == 1


def test_the_cosine_is_that_of_torch():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.1)
    for step in range(10, 31):
        assert warmup_share(step, warmup=10, floor=0.1, cosine=20) == pytest.approx(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()
    assert warmup_share(50, warmup=10, floor=0.1, cosine=20) == pytest.approx(0.1)
