"""Uneven samples lie where low waves meet the target, and give it their spectrum."""

import numpy as np
import pytest

from lab.data.aliased_sine import aliased_positions, even_positions


def test_the_chosen_samples_are_those_nearest_to_the_low_waves():
    x = aliased_positions(65)
    candidates = np.linspace(-np.pi, np.pi, 10_000)
    for low, some in ((1, slice(0, 20)), (3, slice(20, 30))):
        distance = np.abs(np.sin(low * candidates) - np.sin(6 * candidates))
        chosen = np.abs(np.sin(low * x[some]) - np.sin(6 * x[some]))
        np.testing.assert_allclose(np.sort(chosen), np.sort(distance)[: len(chosen)], atol=1e-12)
    np.testing.assert_array_equal(x[30:], np.linspace(-np.pi, np.pi, 35))


def test_uneven_samples_carry_a_low_frequency_that_even_or_many_do_not():
    def low(x: np.ndarray) -> float:
        return float(np.abs(np.exp(-1j * x) @ np.sin(6 * x)) / len(x))

    assert low(aliased_positions(65)) == pytest.approx(0.206, abs=5e-4)
    assert low(even_positions(65)) == pytest.approx(0, abs=1e-12)
    assert low(aliased_positions(1000)) == pytest.approx(0.013, abs=5e-4)


def test_too_few_samples_are_refused_with_the_numbers():
    with pytest.raises(ValueError, match=r"29 samples cannot hold 20 \+ 10"):
        aliased_positions(29)
