"""How decoders are judged by their accuracy and by the attention edges that carry it.

Anchor functions: Zhang et al. (2024), arXiv 2401.08309. Matching: Wang et al. (2024), arXiv 2405.15302. The thresholds
are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.interventions import first_intervention
from lab.stream import Source
from lab.verdict import Check, Verdict, unlike

ANCHOR_EDGES = ("0: key ← anchor", "0: key ← key", "0: last ← anchor", "0: last ← key", "1: last ← key")
CHAIN_EDGES = ("0: copy", "1: first hop", "2: second hop")


def has_named_edges(config: Any) -> bool:
    """Whether the model is the one that the named edges are the circuit of: a decoder of two layers with one head."""
    return (config.model, config.layers, config.heads) == ("decoder", 2, 1)


def judge_anchor(config: Any, run: Source) -> Verdict:
    """Generalisation, broadcast and the causal test of the circuit, at the end of the run.

    The named edges are the circuit of two layers with one head; other decoders are judged by generalisation and
    broadcast alone.
    """
    if (config.task, config.length, config.modulus) != ("identity", 9, 8):
        return Verdict.not_comparable("the thresholds are those of the identity task with n = 9 and modulus 8")
    known = set(run.names())
    if "test_accuracy" not in known:
        return Verdict.not_comparable("nothing to judge yet: no accuracy was recorded")
    step, test = run.series("test_accuracy")
    broadcast = float(run.series("broadcast")[1][-1]) if "broadcast" in known else math.nan
    checks = [
        Check("test accuracy", float(test[-1]), low=0.95),
        Check("training accuracy", float(run.series("train_accuracy")[1][-1]), low=0.99),
        Check("attention of last ← key, top layer", broadcast, low=0.8, note="" if broadcast >= 0 else "no attention"),
    ]
    if has_named_edges(config) and "accuracy_without" in known:
        checks += _circuit_checks(run.series("accuracy_without")[1][-1])
    outside = unlike(config, {"norm": "post"}) or ("an LSTM has no attention" if config.model == "lstm" else "")
    least = max(500, 2 * config.warmup)
    return _settled(checks, int(step[-1]), least, _steering(config, run)).excused(outside)


def _circuit_checks(without: Sequence[float]) -> list[Check]:
    """Two edges carry the answer, three do not. ``without`` is the test accuracy with each of ANCHOR_EDGES cut."""
    carries, spares = (-math.inf, 0.4), (0.95, math.inf)
    limits = (carries, spares, spares, spares, (-math.inf, 0.1))
    return [
        Check(f"test accuracy without {edge}", float(left), low, high)
        for edge, left, (low, high) in zip(ANCHOR_EDGES, without, limits, strict=True)
    ]


def _steering(config: Any, run: Source) -> str:
    """What was done to the training on the way; empty when nothing was."""
    names = {"lr": "η", "weight_decay": "weight decay", "train_masked": "training under the masks"}
    turned = first_intervention(run, knobs=names, actions=())
    if turned:
        name = next(name for name in names if name in turned["payload"]["changed"])
        return f"{names[name]} was changed at step {turned['step']}"
    return "masks could act on the training" if config.train_masked else ""


def judge_matching(config: Any, run: Source) -> Verdict:
    """Held-out accuracy, the two matching scores and the three edges of the chain, at the end of the run."""
    if (config.kind, config.hops, config.split, config.heads) != ("single", 2, True, 1) or config.layers not in (2, 3):
        return Verdict.not_comparable(
            "the claim is checked on two hops along single chains with pairs held out, by three layers of one head, "
            "or two as a control"
        )
    if not {"test_accuracy", "matching_score", "hops"} <= set(run.names()):
        return Verdict.not_comparable("nothing to judge yet: accuracy and matching were not recorded")
    step, test = run.series("test_accuracy")
    scores, hops = (run.series(name)[1][-1] for name in ("matching_score", "hops"))
    checks = [Check("test accuracy", float(test[-1]), low=0.95)]
    for layer, low in ((1, 0.9), (2, 0.8)):
        value = float(scores[layer - 1]) if len(scores) >= layer else math.nan
        checks.append(Check(f"matching score of layer {layer}", value, low=low))
    for index, name in enumerate(CHAIN_EDGES):
        value = float(hops[index]) if len(hops) > index else math.nan
        checks.append(Check(f"attention {name}", value, low=0.8))
    turned = first_intervention(run, knobs=("lr", "weight_decay", "alpha", "beta"), actions=())
    steering = f"the training was steered at step {turned['step']}" if turned else ""
    least = max(1000, 2 * config.warmup)  # held-out accuracy has long plateaus
    return _settled(checks, int(step[-1]), least, steering).excused(
        unlike(config, {"edges": 4}, {"train_size": 20_000})
    )


def layers_to_reach(hops: np.ndarray) -> np.ndarray:
    """L at which (3^(L-1) - 1)/2 = m, the most hops of L layers that merge on both sides; between whole L as well."""
    return 1 + np.log(2 * hops + 1) / np.log(3)


def _settled(checks: Sequence[Check], last: int, least: int, steering: str) -> Verdict:
    """The verdict; a failure before step ``least``, or of a run that was steered, says nothing."""
    short = f"too short: {last} of at least {least} steps" if last < least else ""
    steered = f"{steering}: a steered run can show the claim but not refute it" if steering else ""
    return Verdict.of(*checks).excused(short, steered)
