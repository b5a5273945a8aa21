"""A preview reads the instruments of step 0 and nothing else."""

import numpy as np
import pytest
import torch

from lab.hosts.preview import preview
from lab.stream import MemoryRun
from tests.fakes import Tiny


class Previewed(Tiny):
    previews = ("where",)


def test_a_preview_holds_the_named_instruments_at_step_0_and_follows_the_knobs():
    for width in (3, 5):
        run = preview(Previewed, Previewed.configure(values={"width": width}))
        assert run.names() == ["norm", "stage", "theta_now"]
        step, value = run.series("theta_now")
        assert list(step) == [0] and value.shape == (1, width)
        assert run.series("norm")[1] == pytest.approx(np.linalg.norm(value))


def test_a_preview_draws_nothing_from_the_global_generator():
    before = torch.get_rng_state()
    preview(Previewed, Previewed.configure())
    assert torch.equal(before, torch.get_rng_state())


def test_an_experiment_without_previews_gives_an_empty_run():
    run = preview(Tiny, Tiny.configure())
    assert isinstance(run, MemoryRun) and run.names() == []
