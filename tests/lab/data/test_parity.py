"""Parity is one wave along the diagonal of the cube."""

import math

import pytest
import torch

from lab.data.parity import parity
from lab.measures.frequency import amplitudes, project


def test_every_input_is_there_once_with_the_product_of_its_bits():
    inputs, target = parity(5, torch.float64)
    assert inputs.shape == (32, 5) and len(inputs.unique(dim=0)) == 32
    assert torch.equal(target, torch.tensor([math.prod(row) for row in inputs.tolist()], dtype=torch.float64))


@pytest.mark.parametrize("bits", [4, 10])
def test_along_the_diagonal_it_is_a_wave_of_one_frequency(bits):
    inputs, target = parity(bits, torch.float64)
    k = torch.tensor([math.pi * math.sqrt(bits) / 2], dtype=torch.float64)
    assert float(amplitudes(project(inputs, torch.ones(bits)), target, k)) == pytest.approx(1, rel=1e-6)
