"""The example scripts of the weight, Jacobian and rank measures run as they are pasted, and print what they promise."""

import re
import runpy
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.fixture
def printed(capsys):
    def run(name: str) -> str:
        with torch.random.fork_rng():
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_the_condensation_example_condenses_at_gamma_four_alone(printed):
    small, large = printed("condensation").splitlines()
    assert small.startswith("γ = 4.0: 1 of 50 directions, 1.00 ")
    assert large.startswith("γ = 0.5: 4") and "0.00 of the pairs" in large


def test_the_jacobian_example_meets_its_theory(printed):
    lines = printed("jacobians").splitlines()
    assert lines[0] == "ReLU is critical at σ_w² = 2"
    for line in lines[1:]:
        measured, theory = map(float, re.findall(r"χ = (\S+) \(theory (\S+)\)", line)[0])
        assert abs(measured / theory - 1) < 0.06


def test_the_rank_example_finds_21_and_24(printed):
    text = printed("model_rank")
    assert "with bias: 21" in text
    assert re.search(r"all zero: rank 21 .*from 21 samples", text)
    assert re.search(r"random input weights: rank 24 .*from 24 samples", text)
