"""What river-valley measures and how it is judged: branches, shares, schedules, and made-up series."""

from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.engine import Engine
from lab.experiments.river_valley import RiverValley
from lab.measures.river_checks import factors
from lab.models.rates import stationary_hill_loss
from lab.stream import MemoryRun


def started(arm: str = "valley", **values: Any) -> tuple[RiverValley, MemoryRun, Engine]:
    experiment = RiverValley(RiverValley.configure("valley", arm, values))
    experiment.setup()
    run = MemoryRun()
    return experiment, run, Engine(experiment, run)


def finished(arm: str = "valley", **values: Any) -> tuple[RiverValley, MemoryRun]:
    experiment, run, engine = started(arm, **values)
    for _ in engine:
        pass
    return experiment, run


def judged(experiment: RiverValley, run: MemoryRun) -> Any:
    return RiverValley.verdict(experiment.config, run)


def last(run: MemoryRun, name: str) -> np.ndarray:
    return run.series(name)[1][-1]


def test_the_valley_is_reproduced_and_without_noise_it_is_not():
    short: dict[str, Any] = {"steps": 1100, "branch_every": 400, "record_every": 1, "walkers": 1000}
    shown = judged(*finished(**short))
    assert shown.outcome == "reproduced", shown
    assert judged(*finished("valley-no-noise", **short)).outcome == "not reproduced"


@pytest.mark.parametrize("arm", ["valley", "bigram"])
def test_a_run_of_three_steps_needs_no_room_for_schedules(arm):
    assert "too short" in judged(*finished(arm, steps=3)).reason


def test_an_inverse_decay_removes_more_than_a_linear_one():
    short: dict[str, Any] = {"steps": 410, "branch_every": 200, "walkers": 1000, "rates": "one"}
    left = {}
    for shape in ("linear", "inverse"):
        _, run = finished(**short, shape=shape, least=0.01)
        left[shape] = last(run, "decayed_hill")[0]
    assert left["linear"] == pytest.approx(0.0017, rel=0.25) and left["inverse"] == pytest.approx(0.00033, rel=0.25)


def test_a_branch_starts_from_the_run_and_leaves_it_as_it_was():
    plain, _ = finished("bigram", steps=60, branch_every=0, replicates=2)
    pressed, run, engine = started("bigram", steps=60, branch_every=0, replicates=2, decay_steps=20)
    for step in engine:
        if step == 30:
            before = pressed.theta.clone()
            engine.act("start_decay_branch", {})
            assert torch.equal(pressed.branches.thetas[0], before)
    assert torch.equal(plain.theta, pressed.theta)
    assert run.series("decayed_from")[0].tolist() == [50] and last(run, "decayed_from") == 30
    step, branch = run.series("branch_loss")
    assert np.flatnonzero(np.isfinite(branch[:, 0])).tolist() == [3, 4, 5] and step[3] == 30
    assert branch[5, 0] == pytest.approx(last(run, "decayed_loss")[0])
    # 30 full steps, then Σ (1 - k/20) = 10.5 more, for every rate
    assert last(run, "decayed_clock") == pytest.approx(40.5 * 5 * np.array(factors(pressed.config)))
    assert "steered" not in judged(pressed, run).reason


def test_branches_overlap_up_to_the_slots_and_then_the_button_says_so():
    experiment, run, engine = started("bigram", steps=40, branch_every=5, decay_steps=30)
    for step in engine:
        if step == 22:
            with pytest.raises(ConfigError, match="all 4 are under way"):
                engine.act("start_decay_branch", {})
            with pytest.raises(ConfigError, match="no branch has ended"):
                engine.act("continue_from_decayed", {})
    assert run.series("decayed_from")[1].tolist() == [5]
    assert experiment.branches.active == [0, 1, 2, 3]


def test_continuing_from_decayed_goes_on_at_the_branch():
    experiment, run, engine = started("bigram", steps=30, branch_every=10, decay_steps=10)
    for step in engine:
        if step == 22:
            engine.act("continue_from_decayed", {})
            assert torch.equal(experiment.theta, experiment.last_decayed)
    assert "steered at step 22" in judged(experiment, run).reason


def test_the_hill_share_is_that_of_the_dense_hessians_eigenvectors():
    experiment, run = finished("bigram", steps=31, branch_every=20, decay_steps=10, contexts=12, replicates=1)
    point = experiment.last_origin[0]
    hessian: Any = torch.autograd.functional.hessian(experiment.problem.loss, point)
    top = torch.linalg.eigh(hessian.reshape(120, 120))[1][:, -20:]
    way = (experiment.last_decayed[0, 0] - point).flatten()
    assert last(run, "decay_share")[0] == pytest.approx(float((top.T @ way).square().sum() / way.square().sum()))


def test_lines_between_checkpoints_begin_and_end_at_their_losses():
    _, run = finished("bigram", steps=60, branch_every=20, decay_steps=10, replicates=1, rates="one", contexts=30)
    first, second = run.series("decayed_loss")[1][-2:, 0]
    line = last(run, "decayed_line")
    assert (line[0], line[-1]) == (pytest.approx(first), pytest.approx(second)) and len(line) == 21
    totals = (run.series("before_hill")[1] + run.series("before_river")[1])[-2:, 0]
    assert last(run, "stable_line")[[0, -1]] == pytest.approx(totals)


def test_schedules_share_their_samples_until_their_rates_part_and_note_their_budgets():
    experiment, run = finished("schedules", steps=430, contexts=40, replicates=2, record_every=1)
    wsd, wsd_s = (run.series(f"loss_{name}")[1] for name in ("wsd", "wsd_s"))
    np.testing.assert_array_equal(wsd[:101], wsd_s[:101])  # the first decay is the same
    assert wsd[100] < wsd[99] and wsd[101] != wsd_s[101]
    budgets = last(run, "budget_loss")
    assert budgets.tolist() == [wsd[100], wsd[210], wsd[430], wsd_s[100], wsd_s[200], wsd_s[430]]
    assert np.isnan(run.series("budget_loss")[1][50]).all()
    assert last(run, "schedule_clock") == pytest.approx(5 * experiment.plan.shares.sum(0))
    with pytest.raises(ConfigError, match="branch by themselves"):
        experiment.start_decay_branch()


def test_impossible_knobs_are_refused_before_the_start():
    for values, words in (
        ({"lr": 0.2}, "diverges between the walls"),
        ({"scene": "schedules", "steps": 20, "lr": 5.0}, "no room"),
        ({"scene": "bigram", "contexts": 10, "lr": 5.0}, "is below 100"),
        ({"scene": "bigram", "tokens": 1000, "lr": 5.0}, "fewer tokens or contexts"),
    ):
        with pytest.raises(ConfigError, match=words):
            RiverValley.configure("valley", "", values)


def made_up_valley(config: Any, *, off: float = 1.0, left: float = 0.02, way: float = 1.0) -> MemoryRun:
    step, rates = np.arange(0, 2301, 10), config.lr * np.array(factors(config))
    hill = np.array([stationary_hill_loss(lr, config.gamma, config.sigma) for lr in rates]) * off
    run = MemoryRun(hill_by_rate=(step, np.tile(hill, (len(step), 1))))
    river = -config.slope * rates * step[:, None] * np.array([1.0, 1.0, way])
    run.append("river_by_rate", step, river)
    run.append("before_hill", [2200], [hill])
    run.append("decayed_hill", [2200], [left * hill])
    run.append("decayed_loss", [2200], [left * hill])
    return run


def test_the_valleys_numbers_are_each_able_to_refuse():
    config = RiverValley.configure("valley", "valley")
    assert RiverValley.verdict(config, made_up_valley(config)).outcome == "reproduced"
    for number, change in enumerate(({"off": 1.05}, {"left": 0.2}, {"way": 1.02})):
        verdict = RiverValley.verdict(config, made_up_valley(config, **change))
        assert verdict.outcome == "not reproduced"
        assert [index for index, check in enumerate(verdict.checks) if not check.passed] == [number]
    bent = RiverValley.configure("valley", "valley", {"bend": 0.5})
    assert "straight river" in RiverValley.verdict(bent, made_up_valley(bent)).reason


def made_up_tables(*, stable: float = 0.03, loss: tuple[float, ...] = (0.04, 0.02, 0.08)) -> MemoryRun:
    """Branches from steps 1800 and 3600, and one by hand soon after; only the second stable way is a long one."""
    step = [2000, 3800, 3810]
    run = MemoryRun(decayed_loss=(step, [loss] * 3), decayed_spread=(step, [[0.001] * 3] * 3))
    run.append("decayed_from", step, [1800.0, 3600.0, 3610.0])
    run.append("stable_share", step, [[0.0, 0.0, share] for share in (0.001, stable, 0.9)])
    run.append("decay_share", step, [[0.2, 0.5, 0.7]] * 3)
    return run


def test_tables_need_a_decay_along_the_hill_and_gains_with_the_rate():
    config = RiverValley.configure("bigram")
    assert RiverValley.verdict(config, made_up_tables()).outcome == "reproduced"
    changes: list[dict[str, Any]] = [{"stable": 0.2}, {"loss": (0.04, 0.038, 0.08)}, {"loss": (0.04, 0.02, 0.042)}]
    for change in changes:
        assert RiverValley.verdict(config, made_up_tables(**change)).outcome == "not reproduced", change


@pytest.mark.parametrize(
    ("loss", "outcome"),
    [
        ([0.0205, 0.0197, 0.037, 0.037], "reproduced"),
        ([0.0205, 0.0204, 0.037, 0.037], "not reproduced"),
        ([0.0205, 0.0197, 0.022, 0.037], "not reproduced"),
    ],
)
def test_schedules_are_judged_by_their_last_losses(loss, outcome):
    config = RiverValley.configure("schedules")
    run = MemoryRun(schedule_loss=([4300], [loss]), schedule_spread=([4300], [[0.0004] * 4]))
    assert RiverValley.verdict(config, run).outcome == outcome
    early = MemoryRun(schedule_loss=([4000], [loss]), schedule_spread=([4000], [[0.0004] * 4]))
    assert "too short" in RiverValley.verdict(config, early).reason
    cut = RiverValley.configure("schedules", values={"steps": 430})
    run = MemoryRun(schedule_loss=([430], [[0.02, 0.021, 0.02, 0.02]]), schedule_spread=([430], [[0.0004] * 4]))
    assert "4300 or more" in RiverValley.verdict(cut, run).reason
