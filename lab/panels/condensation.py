"""What the condensation experiment shows: directions, groups, outputs, and the phase plane of its starts."""

from __future__ import annotations

from typing import Any

from lab.measures.condensation_checks import boundary, paper_slope
from lab.views import Curves, Line, Matrix, PhaseDiagram, Profile, Scatter, Table, TableRow

SHOWN = 100  # neurons of the cosine matrix, those of the largest amplitude
SCALES = "β1", "β2", "α"  # of the phase scene's start


def has_one_input(config: Any) -> bool:
    """Whether the network has one input, so that its neurons have an angle and its output is a curve."""
    return config.scene != "start"


def knows_target(config: Any) -> bool:
    """Whether the target is known between the data."""
    return config.scene in ("growth", "dropout")


def compares_widths(config: Any) -> bool:
    """Whether networks of several widths are trained."""
    return config.scene == "phase"


def every_width(config: Any) -> list[str]:
    """The networks of the phase scene in the field's words."""
    return [f"m = {width}" for width in config.all_widths()]


VIEWS = (
    Matrix(
        "cosines",
        title="Cosine similarity",
        help=f"The {SHOWN} neurons of largest amplitude at most, ordered: blocks are groups of one direction.",
        order="cosine_order",
        numbers="cosine_neurons",
        of="neuron",
        x_label="neuron",
        y_label="neuron",
        z_label="ŵ_i·ŵ_j",
        z_range=(-1.0, 1.0),
        centre=0.0,
    ),
    Scatter(
        "orientation",
        "amplitude",
        title="Orientation and amplitude",
        help="One input: angle of (w, b) and |a| ‖(w, b)‖ over the largest. Condensed: all height on a few angles.",
        x_label="angle of (w, b)",
        y_label="amplitude / largest",
        of="neuron",
        when=has_one_input,
    ),
    Curves(
        ("condensed_fraction", "weighted_fraction", "twin_weighted_fraction", "effective_ratio"),
        title="Condensed fraction",
        help="Pairs of one direction; the same weighted by amplitude; and groups over neurons, which falls.",
        y_label="share",
    ),
    Curves(("effective_neurons", "big_groups"), title="Groups of neurons", y_label="m_eff"),
    Curves(("train_loss", "twin_loss", "losses"), title="Loss", y_label="L", y_log=True, floor=1e-16, each=every_width),
    Profile(
        "output_x",
        ("output", "twin_output", "data"),
        points=("data",),
        title="Output",
        help="One input: what is learnt between the data.",
        x_label="x",
        y_label="f(x)",
        when=has_one_input,
    ),
    Curves(
        ("test_error", "twin_test_error"),
        title="Test error",
        help="Between the data, over the variance of the target. Few directions: few functions to choose from.",
        y_label="relative error",
        y_log=True,
        floor=1e-8,
        when=knows_target,
    ),
    Profile(
        "widths",
        ("relative_distances",),
        points=("relative_distances",),
        title="Movement against width",
        help="Phase: falling is the linear regime, rising the condensed one.",
        x_label="m",
        y_label="‖θ_w - θ_w(0)‖/‖θ_w(0)‖",
        x_log=True,
        y_log=True,
        when=compares_widths,
    ),
    Curves(
        ("movement_exponent",),
        title="Exponent of movement",
        help="Phase: the slope of the plot above. Negative: linear. Zero: critical. Positive: condensed.",
        y_label="S_w",
        lines=(Line("critical", 0.0),),
        when=compares_widths,
    ),
    Profile(
        "plane_gamma_prime",
        ("plane_boundary", "plane_here", "plane_ntk", "plane_mean_field", "plane_he"),
        points=("plane_here", "plane_ntk", "plane_mean_field", "plane_he"),
        title="Phase plane",
        help="Phase: above the line neurons condense. Dots: this run, known scalings. A grid study fills it.",
        x_label="γ'",
        y_label="γ",
        when=compares_widths,
    ),
    Table(
        (
            TableRow("condensed fraction", "condensed_fraction"),
            TableRow("groups of neurons", "effective_neurons"),
            TableRow("S_w, the paper's beside it", "movement_exponent", None, paper_slope),
            TableRow("weighted fraction", "weighted_fraction"),
            TableRow("weighted fraction of the twin", "twin_weighted_fraction"),
            TableRow("test error", "test_error"),
            TableRow("test error of the twin", "twin_test_error"),
            *(TableRow(f"{symbol} of the width portrayed", "scales", i) for i, symbol in enumerate(SCALES)),
        ),
        title="Numbers",
    ),
)
STUDY_VIEWS = (
    PhaseDiagram(
        "movement_exponent",
        x="gamma_prime",
        y="gamma",
        title="Phase diagram",
        help="Above the boundary neurons condense: wider networks move more.",
        z_label="S_w",
        centre=0.0,
        contours=(0.0,),
        boundary=("boundary of theory", boundary),
    ),
    PhaseDiagram(
        "condensed_fraction",
        x="width",
        y="gamma",
        title="Pairs of one direction",
        help="Start: small starts condense at every width.",
        z_label="share of pairs",
        z_range=(0.0, 1.0),
        contours=(0.5,),
    ),
)
