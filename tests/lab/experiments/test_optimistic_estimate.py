"""Model ranks against closed forms, families against their definitions, small studies, and the verdict."""

from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.engine import Engine
from lab.experiments.optimistic_estimate import OptimisticEstimate
from lab.measures.rank_points import RANKS, numerical_ranks, spectra_of_targets
from lab.measures.recovery_checks import empirical_size
from lab.measures.recovery_targets import PLANE, PRINTED
from lab.models.recovery import Diagonal, Family, MatrixFactors, Plane, Sharing, TanhNet
from lab.stream import MemoryRun
from lab.verdict import StudyRow


def started(preset: str = "matrix", arm: str = "", **values: Any) -> tuple[OptimisticEstimate, MemoryRun, Engine]:
    experiment = OptimisticEstimate(OptimisticEstimate.configure(preset, arm, values))
    experiment.setup()
    run = MemoryRun()
    return experiment, run, Engine(experiment, run)


def finished(preset: str = "matrix", arm: str = "", **values: Any) -> tuple[OptimisticEstimate, MemoryRun]:
    experiment, run, engine = started(preset, arm, **values)
    for _ in engine:
        pass
    return experiment, run


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def targets_of(family: Family) -> tuple[str, ...]:
    return tuple(family.matrices) if isinstance(family, MatrixFactors) else tuple(PLANE)


SHARINGS: tuple[Sharing, ...] = ("cnn", "unshared", "dense")
FAMILIES = [
    MatrixFactors(),
    Plane(),
    Plane(linear=True),
    Diagonal(6, 2),
    Diagonal(5, 3, depth=3),
    *(TanhNet(sharing=sharing, width=4) for sharing in SHARINGS),
    *(TanhNet(sharing=s, width=9, inputs=6, kernel=4, terms=2, generator=seeded()) for s in SHARINGS),
    MatrixFactors(3, generator=seeded()),
]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_numerical_ranks_are_the_closed_forms_with_a_wide_gap(seed):
    rank, gap = numerical_ranks(seeded(seed))
    assert rank.tolist() == [size for _, size in RANKS]
    assert gap.min() > 1e3


@pytest.mark.parametrize("family", FAMILIES)
def test_a_teacher_expresses_its_target(family):
    x = family.inputs(3, 6, seeded())
    for target in targets_of(family):
        teacher = {name: value.expand(1, 1, 3, *value.shape) for name, value in family.teacher(target).items()}
        torch.testing.assert_close(family.predict(teacher, x)[0, 0], family.value(target, x), rtol=1e-9, atol=1e-9)


def test_the_rank_of_a_target_does_not_depend_on_units_that_it_does_not_need():
    for sharing, size in (("cnn", 7), ("unshared", 15), ("dense", 21)):
        ranks, _ = spectra_of_targets(TanhNet(sharing=sharing, width=300), [""], seeded())
        assert ranks.tolist() == [size]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_copies_predicts_as_each_copy_alone(family):
    drawn = {k: torch.randn(2, 3, 4, *s, generator=seeded(), dtype=torch.float64) for k, s in family.shapes.items()}
    x = family.inputs(4, 5, seeded(1))
    together = family.predict(drawn, x)
    assert together.shape == (2, 3, 4, 5)
    alone = family.predict({k: v[1:, 2:, 3:] for k, v in drawn.items()}, x[3:])
    torch.testing.assert_close(together[1, 2, 3], alone[0, 0, 0])


def test_the_kernel_net_is_a_convolution():
    family = TanhNet(sharing="cnn", width=2)
    w, a = (torch.randn(*s, generator=seeded(), dtype=torch.float64) for s in ((2, 4), (2, 3)))
    x = family.inputs(1, 7, seeded(1))
    hidden = torch.tanh(torch.nn.functional.conv1d(x[0][:, None], w[:, None, :3], w[:, 3]))
    expected = (hidden * a).sum((1, 2))
    torch.testing.assert_close(
        family.predict({"w": w[None, None, None], "a": a[None, None, None]}, x)[0, 0, 0], expected
    )


def test_the_printed_matrices_have_their_ranks():
    family = MatrixFactors()
    for target, rank in PRINTED.items():
        assert int(torch.linalg.matrix_rank(family.value(target, torch.arange(16)).view(4, 4), rtol=1e-8)) == rank


def test_a_step_is_gradient_descent_on_the_observed_entries_alone():
    experiment, _, engine = started(target="M1", trials=2, steps=1, sizes="3 9", init_std=0.5)
    before = {name: value.detach().clone() for name, value in experiment.model.items()}
    next(iter(engine))
    target = experiment.family.value("M1", torch.arange(16)).view(4, 4)
    for column, (count, seen) in enumerate([(3, [0, 1, 2]), (9, [0, 1, 2, 3, 4, 8, 12, 5, 6])]):
        mask = torch.zeros(16, dtype=torch.float64)
        mask[seen] = 1
        a, b = before["a"][0, column, 1], before["b"][0, column, 1]
        pull = 2 / count * mask.view(4, 4) * (a @ b - target)
        torch.testing.assert_close(experiment.model["a"][0, column, 1].detach(), a - 0.01 * pull @ b.T)
        torch.testing.assert_close(experiment.model["b"][0, column, 1].detach(), b - 0.01 * a.T @ pull)


def test_adam_follows_a_cosine_down_to_a_hundredth_of_its_rate():
    experiment, _, engine = started("cnn", steps=4, trials=1, sizes="5")
    rates = [experiment.optimizer.param_groups[0]["lr"] for _ in engine]
    assert rates[0] == pytest.approx(0.01) and rates == sorted(rates, reverse=True) and rates[-1] < 0.002


def test_a_stopped_row_stays_while_the_others_move():
    experiment, _, engine = started("start", trials=1, steps=6, sizes="8", optimizer="adam")
    for step in engine:
        if step == 3:
            engine.act("toggle_row", {"row": 1})
            at_stop = experiment.model["a"].detach().clone()
    moved = (experiment.model["a"].detach() - at_stop).abs().amax((1, 2, 3, 4))
    assert moved[1] == 0 and (moved[[0, 2, 3]] > 0).all()
    with pytest.raises(ConfigError, match="no row 4"):
        engine.act("toggle_row", {"row": 4})


def test_a_nested_mask_is_completable_from_the_closed_form_on_and_a_random_one_is_a_spanning_tree():
    _, run = finished(steps=1, trials=4)
    first = [int(np.argmax(row == 1)) + 1 for row in run.series("completable")[1][0]]
    assert first == run.series("optimistic_size")[1][0].tolist() == [7, 12, 15, 16]
    _, run = finished(steps=1, trials=40, target="M1", pattern="random")
    share = run.series("completable")[1][0][0]
    # rank 1 needs the seven entries to join all rows and columns: 4³·4³ spanning trees of K(4, 4) among C(16, 7) masks
    assert share[6] == pytest.approx(4096 / 11440, abs=0.25)
    assert share[5] == 0 and share[15] == 1 and (np.diff(share) >= 0).all()


def test_completable_masks_are_random_and_determine_every_target_from_its_closed_form_on():
    experiment, run = finished(steps=1, trials=12, pattern="completable")
    assert [int(np.argmax(row == 1)) + 1 for row in run.series("completable")[1][0]] == [7, 12, 15, 16]
    orders = run.series("observed")[1][0]
    assert (np.sort(orders, axis=1) == np.arange(16)).all() and len(np.unique(orders[:, :7], axis=0)) > 6
    assert torch.equal(experiment.x, torch.from_numpy(orders))


@pytest.mark.parametrize(
    "values",
    [
        {"family": "matrix", "inputs": 3},
        {"family": "matrix", "inputs": 6, "sizes": "11 20"},
        {"family": "diagonal", "terms": 3, "inputs": 7, "depth": 3},
        {"family": "cnn", "inputs": 7, "kernel": 4, "terms": 2, "width": 3},
        {"family": "unshared", "inputs": 6, "kernel": 2, "terms": 2, "width": 2},
        {"family": "dense", "inputs": 4, "kernel": 2, "terms": 2, "width": 8},
    ],
)
def test_at_any_sizes_the_rank_of_each_target_is_its_closed_form(values):
    experiment, run = finished(steps=1, trials=3, **values)
    expected = run.series("optimistic_size")[1][0]
    assert run.series("target_rank")[1][0].tolist() == expected.tolist()
    d = values.get("inputs", 4)
    if values["family"] == "matrix":
        assert expected.tolist() == [2 * r * d - r * r for r in range(1, d + 1)]
    assert (run.series("target_spectrum")[1][0] > 1e-9).sum() == expected[0]
    assert OptimisticEstimate.verdict(experiment.config, run).outcome == "not comparable"


def test_a_cell_stops_where_its_training_error_falls_below_the_threshold():
    options = {"target": "M1", "trials": 3, "sizes": "7 9", "lr": 0.1, "steps": 600, "init_std": 0.1}
    free, _ = finished(**options)
    stopped, run = finished(**options, stop=1e-3)
    errors = stopped._errors().detach()
    assert (errors < 1e-3).all() and (free._errors() < errors).all()
    used = run.series("steps_used")[1][-1]
    assert (used > 0).all() and (used < 600).all()
    assert run.series("learned_rank")[1][-1, 0, 1] >= 1


def test_a_stopped_cell_does_not_coast_on_under_adam():
    stopped, _, engine = started("cnn", trials=3, sizes="5", steps=60, lr=0.05, stop=1.0)
    for _ in engine:
        if int(stopped.taken.min()) < stopped.now - 10:
            break
    at_stop = stopped.model["w"].detach().clone()
    for _ in engine:
        pass
    halted = stopped.taken < 50
    assert halted.any() and torch.equal(stopped.model["w"].detach()[halted], at_stop[halted])


def test_rows_of_widths_are_nets_of_these_widths():
    options = {"trials": 2, "sizes": "9", "steps": 5}
    rows, run = finished("dense", sweep="width", widths="3 5", **options)
    assert run.series("row_coordinate")[1][0].tolist() == [3, 5]
    assert run.series("optimistic_size")[1][0].tolist() == [21, 21]
    assert not rows.model["w"][0, :, :, 3:].any() and rows.model["w"][1, :, :, 3:].all()
    alone, _, engine = started("dense", **options)
    with torch.no_grad():
        start = started("dense", sweep="width", widths="3 5", **options)[0].model
        for name, value in alone.model.items():
            value.copy_(start[name][:1, :, :, :3])
    for _ in engine:
        pass
    torch.testing.assert_close(alone.model["w"][0], rows.model["w"][0, :, :, :3])


def test_precision_is_that_of_the_model_unless_said():
    assert started("cnn", trials=1)[0].model["w"].dtype == torch.float32
    assert started("cnn", trials=1, precision="double")[0].model["w"].dtype == torch.float64
    single, run = finished(trials=1, steps=2, precision="single")
    assert single.model["a"].dtype == torch.float32 and np.isfinite(run.series("test_error")[1]).all()


def test_the_edge_is_the_first_size_from_which_all_are_recovered():
    assert empirical_size(np.array([1, 1e-9, 1, 1e-9, 1e-9]), (1, 2, 4, 8, 16)) == 8
    assert empirical_size(np.array([1, 1]), (1, 2)) == np.inf
    assert empirical_size(np.array([0.0, 0.0]), (3, 4)) == 3
    assert empirical_size(np.array([0.0, np.nan]), (3, 4)) == np.inf


def test_a_rank_one_matrix_is_recovered_from_seven_entries_and_not_from_a_large_start():
    options = {"target": "M1", "trials": 3, "sizes": "6 7 16", "lr": 0.1, "steps": 3000, "record_every": 3000}
    small, run = finished(**options)
    verdict = OptimisticEstimate.verdict(small.config, run)
    assert verdict.outcome == "reproduced", verdict
    large, run = finished(**options, init_std=1.0)
    assert OptimisticEstimate.verdict(large.config, run).outcome == "not reproduced"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"family": "plane", "target": "M1"}, "plane has no target 'M1'"),
        ({"sizes": "4 17"}, "16 entries, not 17"),
        ({"sizes": "0"}, "at least one point"),
        ({"family": "cnn", "sizes": "5 100000000"}, "1000000 at most"),
        ({"starts": "0 1"}, "positive standard deviations"),
        ({"inputs": 9}, "take 8 at most"),
        ({"inputs": 3, "sizes": "10"}, "the matrix has 9 entries"),
        ({"inputs": 3, "target": "M1"}, "it has rank 1, rank 2, rank 3"),
        ({"sweep": "width"}, "no hidden width"),
        ({"family": "plane", "inputs": 5}, "the plane has 2"),
        ({"family": "dense", "width": 2}, "which takes 3"),
        ({"family": "cnn", "kernel": 6}, "6 inputs of 5"),
        ({"family": "cnn", "terms": 4}, "cannot express"),
        ({"family": "dense", "sweep": "width", "widths": "2 9"}, "widths: 2 cannot express"),
        ({"family": "diagonal", "terms": 11}, "of 10 inputs"),
        ({"widths": "x"}, "widths: 'x' is no whole number"),
        ({"widths": "0 3"}, "at least one unit"),
        ({"family": "dense", "inputs": 40, "width": 38}, "takes 1596 parameters"),
    ],
)
def test_a_study_that_cannot_be_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        OptimisticEstimate.configure(values=values)


def test_cells_beyond_memory_are_refused():
    with pytest.raises(ConfigError, match="lower trials, width, sizes"):
        finished(family="dense", width=100, trials=100, sizes="1000 100000")


def made_up(config: Any, edges: tuple[float, ...], *, ranks: int = 0, train: float = 1e-9) -> MemoryRun:
    sizes = np.array(config.sample_sizes())
    test = np.where(sizes >= np.array(edges)[:, None], 1e-9, 0.1)
    run = MemoryRun(
        test_error=([config.steps], test[None]), train_error=([config.steps], np.full_like(test, train)[None])
    )
    run.append("optimistic_size", [0], np.array([[7, 12, 15, 16][: len(edges)]]))
    run.append("numerical_rank", [0], np.array([[size for _, size in RANKS]]) + ranks)
    return run


MATRIX = OptimisticEstimate.configure()


@pytest.mark.parametrize("edges", [(7, 12, 15, 16), (8, 13, 14, 16), (6, 11, 16, 15)])
def test_edges_within_one_sample_of_the_closed_form_are_accepted(edges):
    assert OptimisticEstimate.verdict(MATRIX, made_up(MATRIX, edges)).outcome == "reproduced"


@pytest.mark.parametrize(
    ("edges", "ranks", "failing"),
    [
        ((9, 12, 15, 16), 0, "samples for M1"),
        ((7, 12, 17, 16), 0, "samples for Mr3"),
        ((7, 10, 15, 16), 0, "samples for M3"),
        ((7, 12, 15, 16), 1, "model ranks"),
    ],
)
def test_a_shifted_edge_or_a_wrong_rank_is_refused(edges, ranks, failing):
    verdict = OptimisticEstimate.verdict(MATRIX, made_up(MATRIX, edges, ranks=ranks))
    assert verdict.outcome == "not reproduced"
    assert [check.name.startswith(failing) for check in verdict.checks if not check.passed] == [True]


def test_what_is_not_trained_out_or_was_stopped_is_not_comparable():
    unfitted = OptimisticEstimate.verdict(MATRIX, made_up(MATRIX, (7, 12, 15, 16), train=1e-3))
    assert "not fitted" in unfitted.reason
    stopped = made_up(MATRIX, (7, 12, 15, 16))
    stopped.event(5, "action", {"action": "toggle_row", "arguments": {"row": 0}})
    assert "a row was stopped" in OptimisticEstimate.verdict(MATRIX, stopped).reason
    one = {"target": "M1"}
    for values, reason in (({"sizes": "6 16"}, "from 7 on and up to 8"), ({"pattern": "random"}, "measured at nested")):
        config = OptimisticEstimate.configure(values=one | values)
        assert reason in OptimisticEstimate.verdict(config, made_up(config, (16,))).reason
    few = OptimisticEstimate.configure(values={"trials": 2})
    assert "2 trials" in OptimisticEstimate.verdict(few, made_up(few, (7, 12, 15, 16))).reason


def judged(values: dict[str, Any], **samples: float) -> StudyRow:
    checks = {f"samples for {target}, closed form 7": size for target, size in samples.items()}
    return StudyRow("", OptimisticEstimate.configure(values=values), "reproduced", checks=checks)


def test_runs_together_show_what_a_start_a_product_and_a_shared_kernel_are_worth():
    assert OptimisticEstimate.study_verdict([judged({}, M1=7), judged({"seed": 1}, M1=8)]) is None
    starts = [judged({}, M1=7), judged({"init_std": 1.0}, M1=16)]
    planes = [judged({"family": "plane"}, x1=2, x2=3), judged({"family": "linear"}, x1=3, x2=3)]
    nets = [judged({"family": "cnn"}, **{"three tanh": 7}), judged({"family": "dense"}, **{"three tanh": 22})]
    verdict = OptimisticEstimate.study_verdict([*starts, *planes, *nets])
    assert verdict is not None and verdict.outcome == "reproduced" and len(verdict.checks) == 4
    for rows, name in (
        ([judged({}, M1=12), starts[1]], "small starts"),
        ([starts[0], judged({"init_std": 1.0}, M1=12)], "large starts"),
        ([planes[0], judged({"family": "linear"}, x1=2)], "saves"),
        ([nets[0], judged({"family": "dense"}, **{"three tanh": 15})], "free units"),
    ):
        verdict = OptimisticEstimate.study_verdict(rows)
        assert verdict is not None and [name in check.name for check in verdict.checks if not check.passed] == [True]


@pytest.mark.parametrize(
    ("family", "edge", "outcome"),
    [
        ("dense", 18, "not reproduced"),
        ("dense", 21, "reproduced"),
        ("dense", 24, "reproduced"),
        ("dense", 28, "not reproduced"),
        ("unshared", 10, "not reproduced"),
        ("unshared", 15, "reproduced"),
        ("unshared", 21, "not reproduced"),
        ("cnn", 5, "reproduced"),
        ("cnn", 8, "reproduced"),
        ("cnn", 10, "not reproduced"),
    ],
)
def test_free_units_are_recovered_from_21_to_24_samples_and_a_shared_kernel_from_8_at_most(family, edge, outcome):
    config = OptimisticEstimate.configure(family)
    run = made_up(config, (edge,))
    closed_form = {"dense": 21, "unshared": 15, "cnn": 7}[family]
    judged = MemoryRun(**{name: run.series(name) for name in ("test_error", "train_error", "numerical_rank")})
    judged.append("optimistic_size", [0], np.array([[closed_form]]))
    assert OptimisticEstimate.verdict(config, judged).outcome == outcome
    wide = config.changed({"width": 10})
    missed = OptimisticEstimate.verdict(wide, judged)
    assert missed.outcome == "reproduced" if outcome == "reproduced" else "width = 10" in missed.reason
