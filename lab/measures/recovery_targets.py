"""Targets of the optimistic estimate's models, and the samples that each needs in closed form. Zhang et al. (2025).

arXiv 2307.08921. Everything follows from a config's ``family`` and sizes, without torch: forms and verdicts ask here,
lab.models.recovery has the models themselves.
"""

from __future__ import annotations

from typing import Any

from lab.measures import optimistic

PRINTED = {"M1": 1, "M3": 2, "Mr3": 3, "M7": 4}
"""Ranks of the 4 x 4 matrices that the paper and its notebook print."""
PLANE = {"1": (1, 0, 0), "x1": (0, 1, 0), "1+x1": (1, 1, 0)}
PLANE |= {"x2": (0, 0, 1), "1+x2": (1, 0, 1), "x1+x2": (0, 1, 1), "1+x1+x2": (1, 1, 1)}
"""Coefficients of 1, x1 and x2."""
NETS = ("cnn", "unshared", "dense")
PAPER = {"matrix": 4, "plane": 2, "linear": 2, "diagonal": 10} | dict.fromkeys(NETS, 5)
"""Size d where a config's ``inputs`` is 0."""
LARGEST_MATRIX = 8
LARGEST_RANK = 1000  # parameters: singular values of 2000 x 1000 numbers take some seconds
PAPER_NET = {"inputs": 5, "kernel": 3, "terms": 1}
SHARES = (0.25, 0.5, 0.7, 0.85, 1.0, 1.05, 1.15, 1.3, 1.6, 2.0)  # of the closed form: sample sizes where none are given


def size(config: Any) -> int:
    """d: matrices are d x d, the others have d inputs."""
    return config.inputs or PAPER[config.family]


def positions(config: Any) -> int:
    """Places of a kernel of s inputs among d."""
    return size(config) + 1 - config.kernel


def is_papers_net(config: Any) -> bool:
    return (size(config), config.kernel, config.terms) == tuple(PAPER_NET.values())


def names(config: Any) -> tuple[str, ...]:
    """The targets of the model at its sizes."""
    if config.family == "matrix":
        drawn = tuple(f"rank {r}" for r in range(1, size(config) + 1))
        return tuple(PRINTED) if size(config) == 4 else drawn
    if config.family in ("plane", "linear"):
        return tuple(PLANE)
    if config.family == "diagonal":
        return (f"{config.terms} of {size(config)} inputs",)
    return ("three tanh" if is_papers_net(config) else f"{config.terms * positions(config)} tanh",)


def closed_form(config: Any, target: str) -> int:
    """The optimistic sample size of a target."""
    family, d, k = config.family, size(config), config.terms
    if family == "matrix":
        return optimistic.factorisation_size(d, matrix_rank(target))
    if family == "linear":
        return 3
    if family == "plane":
        return optimistic.shared_factor_size(PLANE[target][2])
    if family == "diagonal":
        return k
    kind = "shared" if family == "cnn" else family
    return optimistic.convolution_sizes(k, d, config.kernel, hidden_bias=True)[kind]


def matrix_rank(target: str) -> int:
    """Rank of a matrix by its name, printed or drawn."""
    return PRINTED[target] if target in PRINTED else int(target.removeprefix("rank "))


def linear_size(config: Any) -> int | None:
    """Samples that every target takes in the linear model of the same functions; None where that has no finite size."""
    return {"matrix": size(config) ** 2, "plane": 3, "linear": 3, "diagonal": size(config)}.get(config.family)


def units_needed(config: Any) -> int:
    """Hidden units or kernels without which a net cannot express its target."""
    return config.terms * positions(config) if config.family == "dense" else config.terms


def default_sizes(config: Any) -> tuple[int, ...]:
    """Sample sizes where none are given: all that there are, the paper's nets' own, or some around the closed form."""
    if config.family in ("plane", "linear"):
        return tuple(range(1, 5))
    if config.family == "matrix":
        return tuple(range(1, size(config) ** 2 + 1))
    if config.family in NETS and is_papers_net(config):
        return (5, 7, 8, 10, 15, 18, 21, 22, 24, 28, 35)
    if config.family == "diagonal":
        return tuple(range(1, size(config) + 1))
    form = closed_form(config, names(config)[0])
    return tuple(sorted({max(1, round(share * form)) for share in SHARES}))


def why_impossible(config: Any) -> str:
    """Why a model of these sizes has no such study; empty where it has."""
    family, d = config.family, size(config)
    if family in ("plane", "linear") and config.inputs not in (0, 2):
        return f"inputs: the plane has 2, not {config.inputs}"
    if family in NETS and config.kernel > d:
        return f"kernel: {config.kernel} inputs of {d}; take {d} at most"
    if family in NETS and config.width < units_needed(config):
        return f"width: {config.width} cannot express the target, which takes {units_needed(config)}"
    if family in NETS and (most := closed_form(config, "")) > LARGEST_RANK:
        return f"inputs, terms: the target takes {most} parameters, whose rank is not computed beyond {LARGEST_RANK}"
    if family == "diagonal" and config.terms > d:
        return f"terms: {config.terms} non-zero coefficients of {d} inputs"
    if family == "matrix" and d > LARGEST_MATRIX:
        return f"inputs: every sample size of a {d} x {d} matrix is a column; take {LARGEST_MATRIX} at most"
    return ""
