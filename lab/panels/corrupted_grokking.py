"""What the experiment on corrupted labels shows: accuracies of five groups, IPR, pruning, and maps of networks."""

from __future__ import annotations

from typing import Any

from lab.measures.corruption_checks import PHASES, ignoring, is_map
from lab.views import Bars, Curves, Distribution, Heatmap, Line, Matrix, PhaseDiagram, Profile, Ribbon, Scatter

GROUPS = {
    "train": "Training",
    "clean": "Clean labels",
    "given": "Corrupted, given",
    "true": "Corrupted, true",
    "test": "Test",
}
ACCURACIES = tuple(f"{group}_accuracy" for group in GROUPS)
ORDERS = {"lowest": "", "highest": ", highest first", "random": ", at random"}
BINS = 40  # of the IPR histogram over [0, 1]


def is_one(config: Any) -> bool:
    return not is_map(config)


_MAP_AXES: dict[str, Any] = {"rows": "map_rows", "columns": "map_columns", "x_label": "corrupted share ξ"}
_MAP_AXES |= {"y_label": "rows of the map", "when": is_map}

VIEWS = (
    Ribbon("phase", title="Phase", help="What the network does at each step.", stages=PHASES, when=is_one),
    Curves(
        (*ACCURACIES, "mean_ipr"),
        title="Accuracy",
        help="Coexistence: all but the true labels of corrupted pairs are right. Inversion: training accuracy "
        "falls to the dashed line while the corrupted pairs get their true labels back.",
        y_label="accuracy; mean IPR",
        lines=(Line("corruption ignored", ignoring), Line("chance", lambda config: 1 / config.p)),
        when=is_one,
    ),
    Distribution(
        "ipr",
        title="IPR of the neurons",
        of="neuron",
        help="Low: memorising or random. High: a single frequency, generalising. Neurons that decayed have none.",
        x_label="IPR",
        bins=BINS,
        lines=(Line("Gaussian", lambda config: 2 / (config.p // 2 + 1)),),
        when=is_one,
    ),
    Scatter(
        "ipr",
        "neuron_norm",
        title="IPR and size of the neurons",
        of="neuron",
        help="Coloured by what your pruning keeps.",
        colour="kept",
        x_label="IPR",
        y_label="‖U_k‖ ‖V_k‖ ‖W_k‖",
        when=is_one,
    ),
    Profile(
        "pruned_share",
        tuple(f"lowest_{name}" for name in ACCURACIES),
        title="Pruning, lowest IPR first",
        help="Memorisation goes first, and the corrupted pairs get their true labels: point at a share to read it.",
        x_label="share of neurons pruned",
        y_label="accuracy",
        when=is_one,
    ),
    Profile(
        "pruned_share",
        tuple(f"{order}_{name}" for order in ("highest", "random") for name in ("true_accuracy", "test_accuracy")),
        title="Pruning in other orders",
        help="The control: without the order by IPR nothing is repaired.",
        x_label="share of neurons pruned",
        y_label="accuracy",
        when=is_one,
    ),
    Bars(
        "pruned_accuracies",
        labels=tuple(GROUPS.values()),
        title="Accuracy of the pruned network",
        help="Under the knob Prune. Freeze the weights, then move it.",
        y_label="accuracy",
        y_range=(0.0, 1.0),
        when=is_one,
    ),
    Scatter(
        "ipr",
        "neuron_scale",
        title="IPR and BatchNorm scale",
        of="neuron",
        help="BatchNorm makes memorising neurons small.",
        colour="kept",
        x_label="IPR",
        y_label="|γ_k|",
        when=lambda config: config.batch_norm,
    ),
    Matrix(
        "phase_map",
        title="Phase map",
        help="What each network of the map does at the slider's step.",
        z_label="phase",
        stages=PHASES,
        **_MAP_AXES,
    ),
    Matrix("map_test", title="Test accuracy over the map", z_label="accuracy", z_range=(0.0, 1.0), **_MAP_AXES),
    Matrix("map_given", title="Corrupted labels over the map", z_label="accuracy", z_range=(0.0, 1.0), **_MAP_AXES),
    Heatmap(
        "ipr_histogram",
        rows="ipr_bins",
        title="IPR over time",
        y_label="IPR",
        z_label="neurons",
        primary=False,
        when=is_one,
    ),
    Curves(
        ("weight_norms",),
        title="Norms of U, V and W",
        y_label="Frobenius norm",
        primary=False,
        when=is_one,
        each=lambda _: ("U", "V", "W"),
    ),
    Curves(("train_loss",), title="Loss", y_label="MSE", y_log=True, primary=False),
)
STUDY_VIEWS = (
    PhaseDiagram(
        "given_accuracy",
        x="xi",
        y="weight_decay",
        title="Corrupted labels learnt",
        help="Coexistence above the line at 0.9, full inversion below that at 0.1.",
        z_label="accuracy",
        z_range=(0.0, 1.0),
        contours=(0.1, 0.9),
    ),
    PhaseDiagram(
        "test_accuracy",
        x="xi",
        y="alpha",
        title="Generalisation",
        help="With few pairs, or many wrong labels, only memory is left.",
        z_label="test accuracy",
        z_range=(0.0, 1.0),
        contours=(0.9,),
    ),
)
