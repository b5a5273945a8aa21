"""Training beside six live views of six kinds, a loss section as a surface among them; as in tests.bench.window.

Registry name ``tests.bench.mixed:``. The pictures are made up beforehand, so that what is measured is their way.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gui.views import opengl
from lab.experiment import Series, instrument
from lab.views import Curves, FlowGraph, Heatmap, Landscape, Matrix, Scatter
from tests.bench import window
from tests.bench.plain import Plain
from tests.bench.table import Result

SIDE, TOKENS, NEURONS = 51, 16, 64
NOTE = """
Two bare loops: one that calls the same measures at the same steps and keeps what they and every step give in lists, to
which the target belongs, and one that only trains. What the second row loses beyond the first is the measures' own
arithmetic; the first's loss is what engine, file and window take. The run records 2 kB a step. From one set of
processes to the next the first row goes from 0.94 to 0.97 on an idle machine, and lower on a busy one.
A pause stores the state, so no checkpoint falls into a turn; in a long run they take half a per cent more.
"""


class Mixed(Plain):
    title = "Plain training in six kinds of views"
    readings = Plain.readings
    views = (
        Curves(("train_loss0", "train_loss1"), title="Loss", y_log=True),
        Heatmap("spectrum", title="Spectrum", z_log=True),
        Matrix("cosines", title="Cosines", z_range=(-1.0, 1.0), centre=0.0),
        Landscape("section", x="across", y="up", title="Landscape"),
        Scatter("angle", "amplitude", title="Neurons", polar=True),
        FlowGraph("attention", title="Information flow"),
    )

    def setup(self) -> None:
        super().setup()
        rng = np.random.default_rng(0)
        line = np.linspace(-1, 1, SIDE)
        self.line, self.bowl = line, 0.02 + line[None] ** 2 + 6 * (line[:, None] - 0.3 * line[None] ** 2) ** 2
        self.angles = rng.uniform(-np.pi, np.pi, NEURONS)
        weights = np.tril(rng.uniform(size=(3, 2, TOKENS, TOKENS)))
        self.weights = weights / weights.sum(-1, keepdims=True)

    @instrument("Spectrum", every=10)
    def spectrum(self) -> np.ndarray:
        return np.exp(-((np.arange(32) - 0.01 * self.now) ** 2) / 40) + 1e-3

    @instrument("Cosines", every=20)
    def cosines(self) -> np.ndarray:
        return np.cos((self.angles[:, None] - self.angles) * (1 - 1e-4 * self.now))

    @instrument(every=20, series=(Series("angle", "Orientation"), Series("amplitude", "Amplitude")))
    def neurons(self) -> tuple[np.ndarray, np.ndarray]:
        return self.angles * (1 - 1e-4 * self.now), np.full(NEURONS, 0.1 + 1e-3 * self.now)

    @instrument("Attention", every=50)
    def attention(self) -> np.ndarray:
        return self.weights * (0.3 + 0.7 * (self.now % 1000) / 1000)

    @instrument(every=200, series=(Series("section", "Loss"), Series("across", "α"), Series("up", "β")))
    def landscape(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.bowl * (1 + self.now / 1000), self.line, self.line


def measure() -> Iterator[Result]:
    name = "tests.bench.mixed:"
    against = {"against the loop that reads the same": name, "against the loop that only trains": ""}
    found = window.rounds(name, ("process",), against)["process"]
    shape = "contours: no OpenGL here" if opengl.problem() else "a surface"
    what = f"6 mixed live views, the landscape as {shape}"
    yield from found.results(what, "process", ("≥ 0.95", "the rest is measuring"), (0.95, 0.0))
    yield from found.turns()
