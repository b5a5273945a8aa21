"""The depth fit on curves whose law is known, and on the theory of a critical and of an ordered network."""

import math

import numpy as np
import pytest

from lab.measures.depth_fit import fit_depth
from lab.measures.mean_field import correlation_depth, propagate


def test_the_fit_tells_an_exponential_from_a_power_law():
    depth = np.arange(1, 61)
    exponential = fit_depth(-depth / 7)
    assert exponential.correlation_depth == pytest.approx(7)
    assert exponential.rate_r2 == pytest.approx(1) and exponential.exponent_r2 < 0.99
    power = fit_depth(-1.5 * np.log(depth), 10, 50)
    assert power.exponent == pytest.approx(-1.5)
    assert power.exponent_r2 == pytest.approx(1) and power.rate_r2 < 0.99
    flat = fit_depth(np.zeros(20))
    assert flat.correlation_depth == math.inf and math.isnan(flat.rate_r2)


def test_the_fit_reads_the_correlation_depth_and_the_exponent_off_the_theory():
    ordered = propagate("relu", 50, 1.5)
    assert fit_depth(ordered.log_apjn[1:]).correlation_depth == pytest.approx(correlation_depth(0.75))
    critical = propagate("erf", 50, math.pi / 4)
    assert fit_depth(critical.log_apjn[1:], 10, 50).exponent == pytest.approx(-0.981, abs=1e-3)


def test_a_window_without_an_answer_is_an_error():
    with pytest.raises(ValueError, match="window"):
        fit_depth(np.zeros(5))
    with pytest.raises(ValueError, match="not finite"):
        fit_depth(np.full(20, -np.inf))
