"""The example in docs runs as it stands."""

import runpy
from pathlib import Path

import pytest
import torch

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "curvature.py"


def test_the_example_runs_and_its_numbers_hang_together(capsys):
    with torch.random.fork_rng():
        names = runpy.run_path(str(EXAMPLE))
    assert names["top"].converged
    largest = float(names["top_eigenpairs"](names["hessian"], 1).values[0])
    assert names["density"].nodes.max() == pytest.approx(largest, rel=0.01)
    assert capsys.readouterr().out.count("sharpness") == 5
