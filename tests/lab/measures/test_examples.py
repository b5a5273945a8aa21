"""The example scripts of these families run as they stand."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("detectors", "first crossed 2/η at step 790"),
        ("frequency", "sin 6x on the grid: peaks at k = [6]"),
        ("landscape", "along the sharpest direction: 1.54, 1.00, 2.46 times the loss"),
        ("torchrun_decoder", "one process: loss 5.3865 to 1.95"),
    ],
)
def test_an_example_runs_and_says_what_it_found(name, says, capsys):
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert says in capsys.readouterr().out
