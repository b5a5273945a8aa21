"""The closed form of a decaying second moment, and the stages of a made-up spike."""

import numpy as np
import pytest

from lab.measures.second_moment import crossing_step, free_decay, next_stage


@pytest.mark.parametrize(
    "knobs",
    [
        {"curvature": 1.0, "lr": 0.15, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "square": 1e-3, "step": 300},
        {"curvature": 3.0, "lr": 0.01, "beta1": 0.0, "beta2": 0.9, "eps": 1e-3, "square": 2.0, "step": 10},
        {"curvature": 0.5, "lr": 0.5, "beta1": 0.99, "beta2": 0.9999, "eps": 1e-6, "square": 1e-2, "step": 50},
    ],
)
def test_the_closed_form_is_where_the_decaying_v_meets_the_threshold(knobs):
    forgotten = knobs["beta2"] ** (knobs["step"] + 1)
    crossing = crossing_step(**knobs, forgotten=forgotten)
    steps = np.arange(knobs["step"], 200_000)
    v = knobs["square"] * knobs["beta2"] ** (steps - knobs["step"]).astype(float)
    root = np.sqrt(v / (1 - knobs["beta2"] ** (steps + 1.0))) + knobs["eps"]
    factor = (1 - knobs["beta1"]) / (1 + knobs["beta1"]) / (1 - knobs["beta1"] ** (steps + 1.0))
    above = knobs["curvature"] * factor / root > 2 / knobs["lr"]
    assert crossing is not None
    assert steps[np.argmax(above)] - 1 <= crossing <= steps[np.argmax(above)]


def test_a_large_eps_leaves_no_crossing_to_predict():
    knobs = {"curvature": 1.0, "lr": 0.15, "beta1": 0.9, "beta2": 0.99, "square": 1.0, "step": 9, "forgotten": 0.9}
    assert crossing_step(**knobs, eps=0.1) is None


def test_stages_of_a_made_up_course():
    # (λ_max, λ_grad, v_t/v_{t-1}) with 2/η = 10 and β2 = 0.9
    course = [
        (1, 1, 1.2),
        (1, 1, 0.95),
        (5, 1, 0.901),
        (11, 1, 0.9),
        (12, 11, 0.9),
        (20, 20, 1.5),
        (9, 2, 1.1),
        (9, 2, 0.9),
    ]
    stage, seen = 0, []
    for sharpness, along, ratio in course:
        stage = next_stage(stage, sharpness=sharpness, gradient_curvature=along, v_ratio=ratio, threshold=10, beta2=0.9)
        seen.append(stage)
    assert seen == [1, 1, 2, 3, 4, 5, 5, 2]


def test_free_decay_is_the_longest_stretch_at_beta2():
    step = np.arange(0, 40, 2)
    ratio = np.full(20, 0.9)
    ratio[[0, 3, 15]] = 1.1
    guide = free_decay(step, ratio, np.arange(20.0), 0.9)
    assert guide is not None
    assert guide[0].tolist() == [8, 28]
    np.testing.assert_allclose(guide[1], [4.0, 4.0 * 0.9**20])
    assert free_decay(step, np.full(20, 0.5), ratio, 0.9) is None
