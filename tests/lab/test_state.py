"""State of models, optimisers and generators as plain arrays, and back without losing a bit."""

from typing import Any

import numpy as np
import pytest
import torch

from lab.state import StateError, capture, restore, stored_config
from tests.fakes import Tiny


class Holder(Tiny):
    state = ("model", "optimizer", "scheduler", "extras")

    def setup(self) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 2))
        self.model.double()
        self.model[2].bfloat16()
        self.optimizer = torch.optim.AdamW(self.model[0].parameters(), lr=0.1, betas=(0.8, 0.9))
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=10)
        self.extras: Any = {"count": 3, "top": None, "rows": [np.arange(3), torch.ones(2)], 7: (1.5, "text", True)}

    def train(self) -> None:
        self.optimizer.zero_grad()
        self.model[0](torch.randn(3, 4, dtype=torch.float64)).square().sum().backward()
        self.optimizer.step()
        self.scheduler.step()


def holder(width: int = 3) -> Holder:
    experiment = Holder(Tiny.configure(values={"width": width}))
    experiment.setup()
    return experiment


def test_a_state_is_arrays_only():
    experiment = holder()
    experiment.train()
    state = capture(experiment)
    assert all(isinstance(value, np.ndarray) and value.dtype.kind in "iufb" for value in state.values())
    assert "optimizer/state/0/exp_avg" in state and "model/0.weight" in state


def test_everything_comes_back_and_training_goes_on_with_the_same_numbers():
    one = holder()
    one.train()
    one.extras["count"] = 11
    one.generator("order", "x").manual_seed(5)
    state = capture(one)
    two = holder()
    restore(two, state)
    assert two.extras["count"] == 11 and two.extras["top"] is None and two.extras[7] == (1.5, "text", True)
    np.testing.assert_array_equal(two.extras["rows"][0], np.arange(3))
    assert two.model[2].weight.dtype == torch.bfloat16 and torch.equal(one.model[2].weight, two.model[2].weight)
    assert two.scheduler.last_epoch == 1 and two.optimizer.param_groups[0]["betas"] == (0.8, 0.9)
    assert torch.equal(
        torch.rand(3, generator=one.generator("order", "x")), torch.rand(3, generator=two.generators["order/x"])
    )
    restore(one, state)
    one.train()
    restore(two, state)
    two.train()
    assert torch.equal(one.model[0].weight, two.model[0].weight)


def test_a_state_of_another_width_is_refused_in_one_line():
    small, state = holder(), capture(holder())
    small.model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    with pytest.raises(StateError, match="does not fit 'model'"):
        restore(small, state)
    del state["json/model"]
    with pytest.raises(StateError, match="has no 'model'"):
        restore(holder(), state)


def test_what_a_checkpoint_cannot_keep_is_named():
    experiment = holder()
    experiment.extras = {"function": print}
    with pytest.raises(StateError, match="extras/function holds a builtin_function_or_method"):
        capture(experiment)


def test_the_knobs_in_force_are_stored():
    assert stored_config(capture(holder(width=8)))["width"] == 8
