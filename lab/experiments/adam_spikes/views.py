"""How adam-spikes is shown: the paper's figure, v against g², the five stages and the quadratic's phase plot."""

from typing import Any

import numpy as np

from lab.stream import Source
from lab.views import Curves, Line, Ribbon, Stage, Trace

STAGES = (
    Stage("Ordinary descent", "v follows the gradient."),
    Stage("v decoupled", "g² is far below v, v decays like β2^t and λ_max(Ĥ) grows."),
    Stage("λ_max over 2/η", "The top direction is unstable, the loss is still flat."),
    Stage("λ_grad over 2/η", "The gradient has turned that way: the loss grows while v still falls."),
    Stage("v catches up", "v rises, λ_max(Ĥ) falls back and the loss recovers."),
)


def threshold(config: Any) -> float:
    """2/η, above which gradient descent along a direction of that curvature grows."""
    return 2 / config.lr


def quadratic(config: Any) -> bool:
    """Whether the run is of the one-parameter scene."""
    return config.scene == "quadratic"


def decay_of_v(config: Any, run: Source) -> tuple[np.ndarray, np.ndarray] | None:
    """The longest stretch in which v_t/v_{t-1} = β2 to 1e-4, drawn on as v_s β2^(t-s): straight on a log axis."""
    if not {"v_ratio", "second_moment"} <= set(run.names()):
        return None
    (step, ratio), (_, v) = run.series("v_ratio"), run.series("second_moment")
    rows = min(len(step), len(v))
    free = np.abs(ratio[:rows] - config.beta2) <= 1e-4
    edges = np.flatnonzero(np.diff(np.concatenate([[False], free, [False]]).astype(int))).reshape(-1, 2)
    if not len(edges):
        return None
    first, last = edges[np.argmax(edges[:, 1] - edges[:, 0])]
    ends = step[[first, last - 1]]
    return ends, v[first] * config.beta2 ** (ends - ends[0]).astype(float)


_LINE = (Line("2/η", threshold),)

VIEWS = (
    Curves(
        ("train_loss",),
        title="Loss",
        help="Spikes stand out of a loss that has long settled.",
        y_label="L",
        y_log=True,
        floor=1e-300,
        events=("spike", "knobs", "action"),
    ),
    Curves(
        ("preconditioned_sharpness", "preconditioned_gradient_curvature", "update_curvature"),
        title="Curvature of the preconditioned Hessian",
        help="λ_max crosses 2/η first; the loss rises once the curvature along the gradient has crossed too.",
        y_label="λ",
        y_log=True,
        floor=1e-3,
        lines=_LINE,
        events=("spike", "crossing", "knobs", "action"),
    ),
    Ribbon(
        "stage",
        title="Stages",
        help="Descent, decoupling, crossing, spike, recovery: worked out at each step from what came before it.",
        stages=STAGES,
    ),
    Curves(
        ("second_moment", "squared_gradient"),
        title="Second moment and squared gradient",
        help="Where g² lies far below v, v falls on a straight line of slope log β2 per step and hears no gradient.",
        y_label="v, g²",
        y_log=True,
        floor=1e-300,
        events=("spike",),
        guides=(("slope log β2", decay_of_v),),
    ),
    Curves(
        ("sharpness", "gradient_curvature"),
        title="Curvature of the landscape",
        help="The raw Hessian hardly moves before a spike.",
        y_label="λ",
        y_log=True,
        floor=1e-3,
        events=("spike",),
    ),
    Curves(
        ("decoupling", "decoupling_mean"),
        title="Decoupling",
        primary=False,
        help="g²/v: below 1 the second moment remembers more than it hears.",
        y_label="g²/v",
        y_log=True,
        floor=1e-300,
        events=("spike",),
    ),
    Curves(
        ("v_ratio",),
        title="Decay of the second moment",
        primary=False,
        help="β2 where v only decays, above 1 where it catches up.",
        y_label="v_t/v_{t-1}",
        lines=(Line("β2", lambda config: config.beta2),),
        events=("spike",),
    ),
    Curves(
        ("gradient_alignment", "raw_gradient_alignment"),
        title="Alignment of the gradient",
        primary=False,
        help="Before a spike the gradient turns along the top direction.",
        y_label="|cos|",
        events=("spike",),
    ),
    Curves(
        ("effective_lr",),
        title="Effective learning rate",
        primary=False,
        help="η/(√v̂ + ε) grows as v decays.",
        y_label="η/(√v̂ + ε)",
        y_log=True,
        events=("spike",),
    ),
    Curves(
        ("theta",),
        title="Parameter",
        primary=False,
        when=quadratic,
        help="θ lies still for hundreds of steps, then swings.",
        y_label="θ",
        events=("spike",),
    ),
    Trace("theta", "momentum", title="Phase plot", when=quadratic, help="θ against m.", x_label="θ", y_label="m"),
    Curves(
        ("predicted_crossing",),
        title="Predicted crossing",
        primary=False,
        when=quadratic,
        help="The step at which λ_max(Ĥ) will cross 2/η if v only decays from now on.",
        y_label="step",
        events=("crossing",),
    ),
)
