"""From how many samples on a target is recovered, and how runs and studies are judged by it.

Zhang et al. (2023, 2025), arXiv 2307.08921; the closed forms are those of lab.measures.optimistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.measures.rank_points import RANKS
from lab.measures.recovery_targets import NETS, linear_size, units_needed
from lab.stream import Source
from lab.verdict import Check, StudyRow, Verdict, unlike

SAMPLES_FOR = "samples for "  # begins the name of a row's check
UNMEASURED = ("diagonal",)  # models whose empirical sizes neither the paper nor we know
LARGE = 1.0  # size of the start from which on nearly all samples are needed
RECOVERED = 1e-3  # relative test error below which a target counts as recovered
FITTED = 1e-6  # training error that tells a wrong solution from an unfinished one
# samples beyond the closed form that still pass
SLACK = {"matrix": 1, "plane": 0, "linear": 0, "diagonal": 0, "cnn": 1, "unshared": 3, "dense": 3}


def empirical_size(errors: np.ndarray, sizes: tuple[int, ...]) -> float:
    """The smallest n from which on every error stays below RECOVERED; infinite where the last one does not."""
    recovered = np.asarray(errors) < RECOVERED
    failing = np.flatnonzero(~recovered)
    first = int(failing[-1]) + 1 if len(failing) else 0
    return float(sizes[first]) if first < len(sizes) else np.inf


def judge(config: Any, run: Source) -> Verdict:
    """Ranks equal their closed forms; every judged row is recovered from its optimistic size on, and not before."""
    if any(event["kind"] == "action" for event in run.events()):
        return Verdict.not_comparable("a row was stopped on the way: its cells were trained for a shorter time")
    if config.trials < 3:
        return Verdict.not_comparable(f"{config.trials} trials a cell: a median needs at least 3")
    step, test = run.series("test_error")
    if not len(step) or step[-1] < config.steps:
        return Verdict.not_comparable("not finished: the last reading is that of the trained cells")
    rank_checks = [_ranks_off(run)]
    train, expected = run.series("train_error")[1][-1], run.series("optimistic_size")[1][0]
    judged, sizes = judged_rows(config), config.sample_sizes()
    if float(train[judged].max()) > FITTED:
        worst = np.unravel_index(int(train[judged].argmax()), train[judged].shape)
        return Verdict.not_comparable(
            f"not fitted: the median training error at n = {sizes[worst[1]]} is {train[judged][worst]:.1e}, above "
            f"{FITTED:g}: too few steps, another rate, or most trials in local minima",
            *rank_checks,
        )
    checks, slack, targets = [], SLACK[config.family], config.row_targets()
    empirical = np.array([empirical_size(test[-1][row], sizes) for row in judged])
    for row, found in zip(judged, empirical, strict=True):
        size = float(expected[row])
        # between sizes that were not tried the edge is where the next tried one is; a shared kernel may take fewer
        tried = (n for n in sizes if n >= size - min(slack, 1))
        low = float(sizes[0] if config.family == "cnn" else min(tried, default=size))
        checks.append(Check(f"{SAMPLES_FOR}{targets[row]}, closed form {size:g}", float(found), low, size + slack))
    linear = linear_size(config)
    if linear is not None:
        saved = float(linear - empirical.min())
        checks.append(Check("samples saved over the linear model", saved, 1, linear, "for the cheapest target"))
    return Verdict.of(*rank_checks, *checks).excused(*_outside(config, [float(expected[row]) for row in judged]))


def _outside(config: Any, closed_forms: list[float]) -> tuple[str, ...]:
    """Why a failure says nothing: other masks or optimiser, or no sample size where the edge is looked for."""
    sizes, slack = config.sample_sizes(), SLACK[config.family]
    untried = [size for size in closed_forms if not any(size <= n <= size + slack for n in sizes)]
    net = config.family in NETS
    here = {"pattern": "nested", "optimizer": "adam" if net else "gd", "precision": "of the model", "inputs": 0}
    here |= {"kernel": 3, "terms": 1, "width": units_needed(config)} if net else {}
    return (
        f"{config.family}: the claim's numbers were measured with other models" if config.family in UNMEASURED else "",
        unlike(config, here),
        f"no sample size from {untried[0]:g} on and up to {untried[0] + slack:g} was tried" if untried else "",
    )


def judged_rows(config: Any) -> list[int]:
    """All targets, or the row that starts at ``init_std``, or the one of ``width``."""
    if config.sweep == "targets":
        return list(range(len(config.row_targets())))
    of_width = config.sweep == "width"
    return [config.row_widths().index(config.width) if of_width else config.row_starts().index(config.init_std)]


def _ranks_off(run: Source) -> Check:
    rank = run.series("numerical_rank")[1][0]
    expected = np.array([size for _, size in RANKS[: len(rank)]])  # older runs have fewer
    wrong = int((rank != expected).sum())
    return Check("model ranks that differ from their closed form", wrong, 0, 0, f"of {len(rank)}")


def judge_runs(rows: Sequence[StudyRow]) -> Verdict | None:
    """What needs several runs: a large start takes nearly all entries, a linear model one sample more, free units more.

    Thresholds as for single runs: the closed forms of the first matrix (7), the plane (2 without x2) and the nets (7
    and 21). Where trials or sizes of the start differ within a kind, the worst run counts.
    """
    found: dict[tuple[str, bool], dict[str, list[float]]] = {}
    for row in rows:
        kind = found.setdefault((row.config.family, row.config.init_std >= LARGE), {})
        for name, size in row.checks.items():
            if name.startswith(SAMPLES_FOR):
                kind.setdefault(name[len(SAMPLES_FOR) :].partition(",")[0], []).append(size)
    checks = []
    small, large = (found.get(("matrix", big), {}).get("M1") for big in (False, True))
    if small and large:
        checks.append(Check("samples for M1 from small starts, at most", max(small), high=8, note="closed form 7"))
        checks.append(Check("samples for M1 from large starts, at least", min(large), low=15, note="of 16 entries"))
    plane, linear = (found.get((family, False), {}) for family in ("plane", "linear"))
    if without := [target for target in plane if target in linear and "x2" not in target]:
        saved = min(min(linear[target]) - max(plane[target]) for target in without)
        checks.append(Check("samples that θ2 θ3 saves over one θ2, at least", saved, low=1, note="targets without x2"))
    shared, free = (found.get((family, False), {}).get("three tanh") for family in ("cnn", "dense"))
    if shared and free:
        ratio = min(free) / max(shared)
        checks.append(Check("samples of free units over those of a shared kernel", ratio, low=21 / 8, note="21 and 7"))
    return Verdict.of(*checks) if checks else None
