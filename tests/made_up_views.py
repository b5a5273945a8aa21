"""Made-up data that every kind of view can show, for pictures and tests."""

import numpy as np

from lab.stream import MemoryRun
from lab.views import (
    Bars,
    Curves,
    Distribution,
    FlowGraph,
    Heatmap,
    ImageGrid,
    Landscape,
    Line,
    Matrix,
    PhaseDiagram,
    Profile,
    Ribbon,
    Scatter,
    Stage,
    StudyLine,
    Table,
    TableRow,
    Trace,
    View,
)

STEPS = np.arange(0, 400, 4)
_T = STEPS / STEPS[-1]
_RNG = np.random.default_rng(0)


def _source() -> MemoryRun:
    run = MemoryRun()
    loss = np.exp(-4 * _T) + 0.2 * (STEPS % 100 == 96)
    sharpness = 20 * (1 - np.exp(-3 * _T)) + 0.3 * np.sin(STEPS)
    run.append("train_loss", STEPS, loss)
    run.append("sharpness", STEPS, sharpness)
    run.append("stage", STEPS, 1 + (STEPS // 100) % 3)
    waves = np.arange(1, 25)
    run.append("frequency", [0], waves[None].astype(float))
    run.append("spectrum", STEPS, np.exp(-((waves - 20 * _T[:, None]) ** 2) / 20) + 1e-3)
    angles = _RNG.uniform(-np.pi, np.pi, 40)
    target = np.where(angles > 0, 1.0, -2.0)
    angle = angles + (target - angles) * _T[:, None]
    run.append("angle", STEPS, angle)
    run.append("amplitude", STEPS, np.abs(_RNG.normal(1, 0.3, 40)) * (0.1 + _T[:, None]))
    run.append("cosines", STEPS, np.cos(angle[:, :, None] - angle[:, None, :]))
    run.append("order", STEPS, np.argsort(angle, axis=1))
    run.append("eigenvalues", STEPS, np.abs(_RNG.normal(size=(len(STEPS), 300))) * (0.2 + _T[:, None]))
    places = np.linspace(-1, 1, 80)
    run.append("places", [0], places[None])
    run.append("target", [0], np.sin(3 * np.pi * places)[None])
    run.append("output", STEPS, np.sin(3 * np.pi * places) * _T[:, None])
    run.append("accuracy", STEPS, np.stack([_T, _T**2, _T**4, 0.1 + 0 * _T], axis=1))
    images = np.add.outer(np.arange(12), np.arange(12)) * 0.4
    run.append("filters", STEPS, np.sin(images + np.arange(8)[:, None, None] * _T[:, None, None, None]))
    across, up = np.linspace(-1, 1, 41), np.linspace(-1, 1, 41)
    bowl = 0.02 + (across[None] ** 2 + 6 * (up[:, None] - 0.3 * across[None] ** 2) ** 2)
    run.append("section", [0], bowl[None])
    run.append("across", [0], across[None])
    run.append("up", [0], up[None])
    run.append("way", STEPS, np.stack([0.8 * (1 - _T), 0.5 * np.cos(9 * _T) * (1 - _T)], axis=1))
    run.append("outside", STEPS, 0.3 * _T)
    weights = np.tril(_RNG.uniform(size=(3, 2, 6, 6)))
    run.append(
        "attention", STEPS, weights / weights.sum(-1, keepdims=True) * (0.3 + 0.7 * _T[:, None, None, None, None])
    )
    run.append("tokens", [0], np.array([[12, 4, 88, 4, 91, 7]]))
    for step in (96, 196, 296):
        run.event(step, "spike", {"peak": 0.2})
    return run


SOURCE = _source()
SPECS: tuple[View, ...] = (
    Curves(("train_loss",), title="Curves", y_label="loss", y_log=True),
    Curves(("sharpness",), title="Curves with a threshold", y_label="λ_max", lines=(Line("2/η", 20.0),)),
    Ribbon("stage", title="Stage ribbon", stages=(Stage("descent"), Stage("edge"), Stage("spike"))),
    Trace("train_loss", "sharpness", title="Phase plot", x_label="loss", y_label="λ_max"),
    Heatmap("spectrum", rows="frequency", title="Heatmap over time", y_label="frequency", z_log=True),
    Matrix("cosines", order="order", title="Matrix", z_label="cosine", z_range=(-1.0, 1.0), centre=0.0),
    Matrix("attention", title="Heads as small multiples", z_label="weight"),
    Distribution("eigenvalues", title="Distribution", x_label="eigenvalue"),
    Scatter("angle", "amplitude", title="Polar portrait with trails", polar=True, trails=True),
    Profile("places", ("target", "output"), title="Solution profile", x_label="x", y_label="f(x)"),
    Bars("accuracy", labels=("intact", "edge 1", "edge 2", "both"), title="Bars", y_label="accuracy"),
    Table((TableRow("sharpness", "sharpness", expected=lambda config: 20.0),), title="Table"),
    Landscape("section", x="across", y="up", trajectory="way", outside="outside", title="Loss landscape"),
    FlowGraph("attention", tokens="tokens", title="Information flow"),
    ImageGrid("filters", title="Image grid"),
)
LINE = StudyLine("accuracy", x="width", by="lr", title="Line over a knob", y_label="accuracy", y_range=(0.0, 1.0))
DIAGRAM = PhaseDiagram("order", x="lr", y="width", title="Phase diagram", z_label="order", centre=0.0)
