"""What the matching experiment shows: accuracies, matching matrices, the flow along a chain, and what is in reach."""

from __future__ import annotations

from typing import Any

from lab.measures.decoder_checks import CHAIN_EDGES, layers_to_reach
from lab.views import Bars, Curves, FlowGraph, Heatmap, Line, Matrix, PhaseDiagram, Profile, StudyLine


def can_match(config: Any) -> bool:
    """Whether there is a layer that can ask for what another one stored."""
    return config.layers > 1


def has_noise(config: Any) -> bool:
    """Whether matching noise is added."""
    return config.noise != "off"


VIEWS = (
    Curves(
        ("train_accuracy", "test_accuracy", "masked_accuracy", "asked_accuracy"),
        title="Accuracy",
        help="Held-out chains have no ordered pair in common with training. The third curve: under your masks. The "
        "fourth: at the hops that you ask for besides.",
        y_label="accuracy",
        lines=(Line("reproduced", 0.95),),
    ),
    Curves(
        ("matching_score", "unseen_score"),
        title="Matching score",
        when=can_match,
        help="One line for each kernel, of layers 1 to L - 1: for tokens, and for vectors that no token has.",
        y_label="M(h)",
        of="layer",
        first=1,
        lines=(
            Line("reproduced", 0.9),
            Line("no preference", lambda c: 1 / (c.token_high - c.token_low + 1)),
        ),
    ),
    Matrix(
        "matching_1",
        rows="key_token",
        columns="key_token",
        title="Matching matrix of layer 1",
        of="key token",
        when=can_match,
        y_label="asks",
        x_label="stored",
        z_label="h",
    ),
    Matrix(
        "matching_2",
        rows="key_token",
        columns="key_token",
        title="Matching matrix of layer 2",
        of="key token",
        when=lambda config: config.layers > 2,
        y_label="asks",
        x_label="stored",
        z_label="h",
    ),
    Matrix(
        "unseen_1",
        title="Layer 1 on unseen vectors",
        when=can_match,
        help="The same kernel between Gaussian vectors: does any vector match itself?",
        y_label="asks",
        x_label="stored",
        z_label="h",
    ),
    FlowGraph(
        "attention",
        title="Information flow",
        help="The query a hops along its chain to b and c, a layer a hop. Click an edge to mask it.",
        tokens="shown_tokens",
        marks="shown_chain",
        mark_labels=("a", "b", "b", "c"),  # of the pairs (a, b) and (b, c)
        action="mask_edge",
        clear="clear_masks",
    ),
    Curves(
        ("hops",),
        title="Attention along the chain",
        help="Layer 0 copies; each later layer hops.",
        y_label="A",
        of="layer",
        first=0,
    ),
    Bars(
        "accuracy_without",
        title="Accuracy without an edge",
        of="layer",
        labels=CHAIN_EDGES,
        y_label="test accuracy",
        y_range=(0.0, 1.0),
    ),
    Bars(
        "accuracy_by_order",
        title="Accuracy by the order of the pairs",
        primary=False,
        help="A pair that stands later cannot be read by an earlier one.",
        labels=("in order", "out of order"),
        y_label="test accuracy",
        y_range=(0.0, 1.0),
    ),
    Profile(
        "hop_count",
        ("accuracy_by_hops", "reach_both", "reach_one"),
        title="Accuracy and reach",
        primary=False,
        help="Beside the accuracy: in which share of the sequences L layers can reach the answer, when every layer "
        "merges all it sees, on both sides or on one.",
        x_label="hops m",
        y_label="share",
    ),
    Curves(
        ("matching_share", "diagonal_strength"),
        title="Scale-free matching",
        primary=False,
        y_label="share, mean/std",
        of="layer",
        first=1,
    ),
    Bars(
        "accuracy_by_noise",
        title="Accuracy with part of the noise",
        when=has_noise,
        help="The same weights without noise, with that on W^qk or W^vo alone, with all of it.",
        labels=("off", "qk", "vo", "both"),
        y_label="test accuracy",
        y_range=(0.0, 1.0),
    ),
    Heatmap(
        "noise_strength",
        title="Strength of the noise",
        of="layer",
        when=has_noise,
        y_label="α of layers, then β",
        z_label="α, β",
        centre=0,
    ),
    Curves(("train_loss",), title="Loss", y_label="cross-entropy", y_log=True),
)

STUDY_VIEWS = (
    StudyLine(
        "test_accuracy",
        x="gamma",
        by="norm",
        title="Norm and start",
        help="The paper's two by two, with as many starts as you like.",
        y_label="test accuracy",
        y_range=(0.0, 1.0),
    ),
    PhaseDiagram(
        "test_accuracy",
        x="hops",
        y="layers",
        title="Hops and layers",
        help="Below the line the layers cannot reach the answer, even if each merges all it sees on both sides.",
        z_label="test accuracy",
        z_range=(0.0, 1.0),
        contours=(0.95,),
        boundary=("reach", layers_to_reach),
    ),
)
