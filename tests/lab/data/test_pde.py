"""Exact solutions fulfil their equations, and Burgers' is the one of its start."""

from typing import Any

import numpy as np
import pytest
import torch

from lab.data.pde import Problem, burgers


def derivatives(problem: Problem, inputs: torch.Tensor, h: float = 1e-4) -> dict[str, Any]:
    """Central differences of the exact solution."""

    def moved(axis: int, by: float) -> torch.Tensor:
        aside = torch.zeros_like(inputs)
        aside[:, axis] = by
        return problem.solution(inputs + aside)

    u, left, right = problem.solution(inputs), moved(0, -h), moved(0, h)
    space = (right - left) / (2 * h), (right - 2 * u + left) / h**2
    if not problem.timed:
        return {"u": u, "along": [space]}
    early, late = moved(1, -h), moved(1, h)
    return {"u": u, "along": [space, ((late - early) / (2 * h), (late - 2 * u + early) / h**2)]}


@pytest.mark.parametrize(
    ("equation", "tolerance"), [("poisson", 1e-4), ("heat", 1e-5), ("burgers", 1e-4), ("wave", 1e-4)]
)
def test_the_exact_solution_has_no_residual_and_the_slope_it_says(equation, tolerance):
    problem = Problem(equation, ((1, 1.0), (4, 0.5)), 0.05, speed=0.7)
    inputs = problem.inside(40, torch.Generator().manual_seed(0)) * 0.9 + (0.05 if problem.timed else 0.0)
    parts = derivatives(problem, inputs)
    assert len(parts["along"]) == len(problem.orders)
    assert problem.residual(inputs, **parts).abs().max() < tolerance * 100
    torch.testing.assert_close(problem.slope(inputs), parts["along"][0][0], rtol=1e-5, atol=1e-5)


def test_a_wave_starts_at_rest_and_is_back_after_its_period():
    problem = Problem("wave", ((1, 1.0), (4, 0.5)), speed=2.0)  # k = 1 takes 2/c = 1, k = 4 a quarter of it
    start = problem.at_rest()
    back = torch.stack([start[:, 0], torch.ones(len(start), dtype=torch.float64)], 1)
    torch.testing.assert_close(problem.solution(start), problem.solution(back), atol=1e-12, rtol=0)
    assert (start[:, 1] == 0).all() and len(start) > 100
    assert derivatives(problem, start)["along"][1][0].abs().max() < 1e-8
    assert not len(Problem("heat", ((1, 1.0),)).at_rest())


def test_burgers_starts_as_a_sine_and_conserves_its_antisymmetry():
    x = np.linspace(-1, 1, 21)
    np.testing.assert_allclose(burgers(x, 0.0, 0.01 / np.pi), -np.sin(np.pi * x), atol=1e-12)
    later = burgers(x, 0.5, 0.01 / np.pi)
    np.testing.assert_allclose(later, -later[::-1], atol=1e-9)
    assert np.abs(later[[0, -1]]).max() < 1e-9  # the sides stay at 0


def test_the_grids_have_their_edges_and_the_middle_time_is_half():
    line, timed = Problem("poisson", ((1, 1.0),), 1.0), Problem("heat", ((1, 1.0),), 1.0)
    assert line.fine().shape == (1, 513, 1) and line.edge().flatten().tolist() == [-1.0, 1.0]
    fine = timed.fine()
    assert (fine[len(fine) // 2, :, 1] == 0.5).all() and fine[0, [0, -1], 0].tolist() == [-1.0, 1.0]
    inside = timed.inside(500, torch.Generator().manual_seed(0))
    assert inside.min(0).values.tolist() >= [-1.0, 0.0] and inside.max(0).values.tolist() <= [1.0, 1.0]


def test_burgers_points_lie_evenly_and_elsewhere_with_another_seed():
    problem = Problem("burgers", ((1, 1.0),))
    one, other = (problem.inside(512, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert not torch.equal(one, other)
    for inside in (one, other):  # 32 boxes of 16 points each, if they lay on a grid
        counts = np.histogram2d(*inside.numpy().T, bins=(8, 4), range=[[-1, 1], [0, 1]])[0]
        assert counts.min() >= 12 and counts.max() <= 20


@pytest.mark.parametrize("count", [8, 33, 512])
def test_a_grid_of_points_has_its_corners_and_no_more_than_asked_for(count):
    inside = Problem("heat", ((1, 1.0),)).inside(count, torch.Generator())
    assert count * 0.8 <= len(inside) <= count
    corners = {(-1.0, 0.0), (1.0, 0.0), (-1.0, 1.0), (1.0, 1.0)}
    assert corners <= set(map(tuple, inside.tolist()))
