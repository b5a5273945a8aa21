"""Neurons condense onto a few input directions: from a small start, in the condensed regime, or by dropout.

Xu, Zhang, Zhou (2025), arXiv 2504.09484; Luo et al. (2021), JMLR 22; Zhang and Xu (2024), TPAMI 46.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from pydantic import model_validator

from lab.also import AlsoMeasure
from lab.config import Config, ConfigError, numbers, param
from lab.experiment import Arm, Batch, Preset, Series, action, instrument
from lab.measures.condensation_checks import judge, judge_runs, known_scalings, phase_plane
from lab.models import stacked_condensation as stacked
from lab.panels import condensation as panels
from lab.panels.condensation import SCALES, SHOWN, knows_target
from lab.stream import Source
from lab.verdict import StudyRow, Verdict

if TYPE_CHECKING:
    from lab.measures.directions import Params
    from lab.measures.landscape import Loss

FITTED = 1e-6  # the phase scene stops a network here
BIG = 0.1  # share of the largest amplitude from which a neuron counts as big
PORTRAYED = 5000  # neurons whose directions are compared at most: the matrix of cosines takes their square
TEST_POINTS = 301  # between the data


class CondensationConfig(Config):
    scene: Literal["start", "growth", "phase", "dropout"] = param(
        "start",
        "Scene",
        group="Scene",
        help="start: first steps from a small start. growth: directions come one after another. phase: how movement "
        "grows with width. dropout: with and without.",
    )
    gamma: float = param(
        4.0,
        "Initialisation rate",
        symbol="γ",
        min=0.0,
        max=5.0,
        group="Initialisation",
        help="start, growth: every parameter has standard deviation (not variance) m^-γ. phase: κ = β1 β2/α = m^-γ.",
    )
    gamma_prime: float = param(
        0.0, "Ratio of the layers", symbol="γ'", min=-2.0, max=2.0, group="Initialisation", help="phase: β1/β2 = m^-γ'."
    )
    mirrored: bool = param(
        True,
        "Copy of opposite sign",
        group="Initialisation",
        help="phase: anti-symmetric initialisation (ASI): the network is 0 at the start, so that its first output "
        "does not blur how far the parameters move.",
    )
    activation: Literal["tanh", "x_tanh", "x2_tanh", "relu", "sigmoid", "softplus"] = param(
        "tanh", "Activation", group="Network", help="tanh, x tanh x and so on; phase has ReLU."
    )
    width: int = param(50, "Hidden width", symbol="m", min=2, max=5000, group="Network", help="phase has its own.")
    widths: str = param(
        "200 1000 5000", "Widths", group="Network", help=f"phase. Portrayed: the middle one, up to {PORTRAYED}."
    )
    samples: int = param(80, "Training points", symbol="n", min=2, max=1000, group="Data", help="phase has its own 4.")
    inputs: int = param(5, "Inputs", symbol="d", min=1, max=1000, group="Data", help="start; the others have one.")
    target: Literal["bump", "four hinges", "two hinges"] = param(
        "bump", "Target on a line", group="Data", help="growth, dropout. bump: two tanh neurons. Hinges: ReLU neurons."
    )
    optimizer: Literal["adam", "gd"] = param(
        "adam", "Optimiser", group="Training", help="phase descends by a step of its own."
    )
    lr: float = param(1e-3, "Learning rate", symbol="η", min=1e-6, max=1.0, log=True, live=True, group="Training")
    batch: int = param(0, "Batch", min=0, max=1000, group="Training", help="0 is all points at once.")
    dropout: float = param(
        0.1,
        "Dropout",
        min=0.0,
        max=0.5,
        live=True,
        group="Training",
        help="Share of hidden units dropped. The twin: 0.",
    )
    noise: Literal["dropped", "explicit"] = param(
        "dropped",
        "Kind of dropout",
        live=True,
        group="Training",
        help="explicit: no unit is dropped, the mean effect R₁ of dropping is added to the loss instead.",
    )
    threshold: float = param(0.95, "Cosine threshold", min=0.5, max=0.999, group="Measurement", help="of one direction")
    up_to_sign: bool = param(
        True,
        "Opposite directions are one",
        group="Measurement",
        help="In groups of neurons. Right for odd activations; a ReLU of the opposite direction is another function.",
    )
    steps: int = param(100, "Steps", min=1, max=1_000_000_000, group="Run")
    record_every: int = param(10, "Record every", unit="steps", min=1, max=1_000_000, group="Run")

    @model_validator(mode="after")
    def _scene_can_run(self) -> Self:
        widths = self.all_widths()
        if len(widths) < 1 or widths[0] < 2 or widths[-1] > 100_000:
            raise ValueError(f"widths: give numbers from 2 to 100000, not {self.widths!r}")
        if widths[0] > PORTRAYED:
            raise ValueError(
                f"widths: one of {PORTRAYED} at most is portrayed by its cosine matrix; the least is {widths[0]}"
            )
        if self.batch > self.samples:
            raise ValueError(f"a batch of {self.batch} is more than the {self.samples} training points: lower it")
        return self

    def all_widths(self) -> tuple[int, ...]:
        """m of each network of the phase scene, ascending."""
        return numbers("widths", self.widths, int)

    def portrayed_width(self) -> int:
        """m of the network of the phase scene whose neurons are shown: the middle one, or the widest that may be."""
        widths = self.all_widths()
        return min(widths[len(widths) // 2], max(width for width in widths if width <= PORTRAYED))


_START: dict[str, Any] = {
    "scene": "start",
    "width": 50,
    "samples": 80,
    "lr": 1e-3,
    "batch": 0,
    "steps": 100,
    "record_every": 10,
}
_GROWTH: dict[str, Any] = {"scene": "growth", "gamma": 2.0, "activation": "relu", "width": 100, "samples": 40}
_GROWTH |= {"target": "four hinges", "optimizer": "gd", "lr": 0.1, "steps": 20_000, "record_every": 100}
_GROWTH |= {"up_to_sign": False}
_PHASE: dict[str, Any] = {"scene": "phase", "gamma": 1.75, "steps": 20_000, "record_every": 500, "gamma_prime": 0.0}
_DROPOUT: dict[str, Any] = {"scene": "dropout", "width": 500, "samples": 8, "lr": 1e-3, "batch": 0, "steps": 12_000}
_DROPOUT |= {"record_every": 500, "activation": "tanh", "dropout": 0.1}


class Condensation(AlsoMeasure):
    title = "Condensation"
    theme = "Condensation"
    claim = "From a small start, or with dropout, the neurons of a layer gather in a few input directions."
    paper = "Xu, Zhang, Zhou (2025), arXiv 2504.09484; Luo et al. (2021); Zhang, Xu (2024)"
    about = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    Config = CondensationConfig
    readings = (
        Series("train_loss", "Training loss", "L", statistic="phase: mean over widths"),
        Series("twin_loss", "Training loss without dropout", "L"),
        Series("losses", "Training loss of each width", "L"),
    )
    views, study_views = panels.VIEWS, panels.STUDY_VIEWS
    also_note = "These read the network of the start and dropout scenes; the phase scene has several."
    presets = {
        "start": Preset(_START, "A: 80 points in five dimensions, tanh, 100 steps of Adam."),
        "growth": Preset(_GROWTH, "100 ReLU neurons on a line: directions come one after another."),
        "phase": Preset(_PHASE, "B: ReLU networks of three widths side by side on four points."),
        "dropout": Preset(_DROPOUT, "C: twins from one start, one with dropout."),
    }
    arms = {
        "condensed": Arm({}, "reproduced", "Small start; γ above the boundary; dropout 0.1."),
        "linear": Arm(
            {"gamma": 0.5, "dropout": 0.0}, "not reproduced", "Large start; γ below the boundary; no dropout."
        ),
        "critical": Arm(
            {**_PHASE, "gamma": 1.0}, "not reproduced", "On the boundary movement forgets the width.", whole=True
        ),
        "x-tanh": Arm(
            {**_START, "gamma": 4.0, "activation": "x_tanh"},
            "not reproduced",
            "Multiplicity 2: more directions.",
            whole=True,
        ),
        "mini-batch": Arm(
            {**_DROPOUT, "dropout": 0.0, "batch": 2}, "not reproduced", "The noise of SGD is not enough.", whole=True
        ),
    }
    state = ("networks", "optimizers", "losses")

    def setup(self) -> None:
        config, init = self.config, self.generator("init")
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.alphas: dict[str, float] = {}
        self.losses: list[float] = []
        self.x, self.y = (part.to(self.device) for part in self._draw())
        if config.scene == "phase":
            from lab.models.two_layer import drawn_start

            self.networks: Any = (
                torch.nn.ParameterDict()
            )  # filled one by one: from a dict it would sort "1000" before "200"
            for width in config.all_widths():
                start, self.alphas[str(width)] = drawn_start(
                    width, config.gamma, config.gamma_prime, init, mirrored=config.mirrored
                )
                self.networks[str(width)] = torch.nn.Parameter(start.to(self.device), requires_grad=False)
            self.losses = [np.inf] * len(self.networks)
            if not self.x.is_cpu:  # where Python, asking whether a network is fitted, would wait at every step
                self.descent = self.as_graph(stacked.Phases([self], FITTED).step_all)
        else:
            from lab.models.captured import optimizer_for
            from lab.models.twins import twins

            linear = config.scene == "dropout"
            names, std = ("net", "twin") if linear else ("net",), None if linear else config.width**-config.gamma
            widths = (self.x.shape[1], config.width, 1)
            self.networks = twins(names, widths, config.activation, init, std).to(self.device)
            make = torch.optim.Adam if config.optimizer == "adam" else torch.optim.SGD
            self.optimizers = {
                name: optimizer_for(self.device, make, net.parameters(), config.lr, fused=True)
                for name, net in self.networks.items()
            }
            self.update = self.as_graph(self._update)
        self.start = [rows.clone() for rows in self._input_weights()]

    def _draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        from lab.data import few_points

        config = self.config
        if config.scene == "start":
            return few_points.sine_sum(config.samples, self.generator("data"), config.inputs)
        return few_points.four() if config.scene == "phase" else few_points.on_a_line(config.target, config.samples)

    def step(self) -> Mapping[str, Any]:
        config = self.config
        if config.scene == "phase":
            return self._descend() if self.x.is_cpu else self._descend_there()
        rows = kept = None
        if config.batch:
            rows = torch.randperm(len(self.x), generator=self.generator("order", "batch"))[: config.batch]
        if self._dropout() and config.noise != "explicit":
            size = config.batch or len(self.x), config.width
            kept = torch.rand(size, generator=self.generator("order", "dropout")) >= config.dropout
        return self.update(rows, kept)

    def _update(self, rows: torch.Tensor | None, kept: torch.Tensor | None) -> Mapping[str, torch.Tensor]:
        """Losses before it. The network sees some rows of the data, and of its units those that are kept."""
        from lab.models.twins import fit

        losses = {}
        for name, net in self.networks.items():
            x, y, options = self.x, self.y, {}
            if name == "net":
                x, y = (x, y) if rows is None else (x[rows], y[rows])
                options = {"dropout": self._dropout(), "kept": kept}
            loss = fit(net, self.optimizers[name], x, y, factor=self._factor(), **options)
            losses["train_loss" if name == "net" else "twin_loss"] = loss
        return losses

    def _dropout(self) -> float:
        """Share of hidden units that a step drops."""
        return self.config.dropout if self.config.scene == "dropout" else 0.0

    def _factor(self) -> float:
        """Of the mean square in the loss: 1/2 in dropout's scene, as its paper."""
        return 0.5 if self.config.scene == "dropout" else 1.0

    def objective(self) -> tuple[Loss, Params] | None:
        """The loss of the network without dropout and its regulariser."""
        factor = self._factor()

        def criterion(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return (output - target).square().mean() * factor

        return self.loss_of(self.networks["net"], criterion, self.x, self.y) if "net" in self.networks else None

    def _descend(self) -> Mapping[str, Any]:
        from lab.models.two_layer import descend

        for index, (width, neurons) in enumerate(self.networks.items()):
            if self.losses[index] >= FITTED:
                after, self.losses[index] = descend(neurons, self.alphas[width], self.x, self.y)
                if self.losses[index] >= FITTED:
                    neurons.copy_(after)
        return {"train_loss": float(np.mean(self.losses)), "losses": np.array(self.losses)}

    def _descend_there(self) -> Mapping[str, torch.Tensor]:
        """The same on a GPU, by the formula for many members."""
        losses = self.descent()[:, 0]
        return {"train_loss": losses.mean(), "losses": losses}

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        from lab.models.captured import set_rate

        for optimizer in self.optimizers.values():
            set_rate(optimizer, self.config.lr)

    @action("Prune small neurons", help="Removes neurons below this share of the largest amplitude, for good.")
    def prune(self, share: float = 0.1) -> None:
        from lab.measures.condensation import amplitudes

        rows, out = self._neurons()
        size = amplitudes(rows, out)
        keep = (size >= share * size.max())[:, None]
        self._put(rows * keep, out * keep[:, 0])

    @action("Merge groups", help="Each group of one direction becomes one neuron: mean weights, summed output.")
    def merge(self) -> None:
        from lab.measures.condensation import group_labels, merged

        rows, out = self._neurons()
        self._put(*merged(rows, out, group_labels(rows, self.config.threshold, up_to_sign=False)))

    def _put(self, rows: torch.Tensor, out: torch.Tensor) -> None:
        """Replace the neurons of the network; Adam forgets those that are gone."""
        if self.config.scene == "phase":
            raise ConfigError({"scene": "the mirrored networks of the phase scene keep their neurons"})
        from lab.models.mlp import put_neurons

        put_neurons(self.networks["net"], rows, out, self.optimizers["net"])

    def _neurons(self, name: str = "net") -> tuple[torch.Tensor, torch.Tensor]:
        """Input weights with bias, shape (m, d + 1), and output weights, shape (m,); phase: one copy, middle width."""
        from lab.models.mlp import neurons_of

        if self.config.scene == "phase":
            width = self.config.portrayed_width()
            rows = self.networks[str(width)].detach()[:width]
            return rows[:, :2], rows[:, 2]
        return neurons_of(self.networks[name])

    def _input_weights(self) -> list[torch.Tensor]:
        """(w, b) of each width of the phase scene, its copy too, or of the network, shape (m, d + 1) each."""
        if self.config.scene == "phase":
            return [p.detach()[:, :2] for p in self.networks.values()]
        return [self._neurons()[0]]

    @instrument(
        every="record_every",
        exact=True,
        series=(
            Series("condensed_fraction", "Pairs of one direction", statistic="share of pairs, up to sign"),
            Series("weighted_fraction", "Pairs by amplitude", statistic="share of Σ A_i A_j with |cos| > 0.99"),
            Series("twin_weighted_fraction", "Pairs by amplitude without dropout"),
            Series("effective_neurons", "Groups of neurons", "m_eff", estimator="greedy cover"),
            Series("effective_ratio", "Groups over neurons", "m_eff/m"),
            Series("big_groups", "Groups of big neurons", statistic=f"amplitude above {BIG:g} of the largest"),
            Series("relative_distance", "Movement", "RD", statistic="of input weights, ‖θ_w - θ_w(0)‖/‖θ_w(0)‖"),
            Series("relative_distances", "Movement of each width", "RD", statistic="of input weights"),
            Series("movement_exponent", "Exponent of movement", "S_w", statistic="slope of ln RD over ln m"),
        ),
    )
    def condensed(self) -> tuple[Any, ...]:
        from lab.measures import condensation as measure
        from lab.measures.weights import movement_exponent, relative_distance

        config, threshold = self.config, self.config.threshold
        rows, out = self._neurons()
        size = measure.amplitudes(rows, out)
        groups = measure.effective_neuron_number(rows, threshold, up_to_sign=config.up_to_sign)
        big = measure.effective_neuron_number(rows[size >= BIG * size.max()], threshold, up_to_sign=config.up_to_sign)
        twin = None
        if config.scene == "dropout":
            other, other_out = self._neurons("twin")
            twin = measure.weighted_condensed_fraction(other, measure.amplitudes(other, other_out))
        moved = [relative_distance(now, then) for now, then in zip(self._input_weights(), self.start, strict=True)]
        distance, distances, slope = moved[0], None, None
        if config.scene == "phase":
            widths, distances = config.all_widths(), np.array(moved)
            slope = movement_exponent(widths, distances) if self.now else None
            distance = moved[widths.index(config.portrayed_width())]
        fraction = measure.condensed_fraction(rows, threshold)
        weighted = measure.weighted_condensed_fraction(rows, size)
        return fraction, weighted, twin, groups, groups / len(rows), big, distance, distances, slope

    @instrument(
        every="record_every",
        series=(
            Series("cosines", "Cosine similarity", "ŵ_i·ŵ_j"),
            Series("cosine_order", "Order by the leading eigenvector"),
            Series("cosine_neurons", "Neurons of the cosine matrix"),
            Series("orientation", "Angle of (w, b)", unit="rad"),
            Series("amplitude", "Amplitude over the largest", "A/max A"),
            Series("output", "Output", "f(x)"),
            Series("twin_output", "Output without dropout", "f(x)"),
        ),
    )
    def portrait(self) -> tuple[Any, ...]:
        from lab.data import few_points
        from lab.measures import condensation as measure
        from lab.models.two_layer import outputs

        rows, out = self._neurons()
        size = measure.amplitudes(rows, out)
        numbers = torch.sort(size.argsort(descending=True)[:SHOWN]).values
        shown = rows[numbers]
        cosines, order = measure.cosine_matrix(shown)[0].float(), measure.leading_order(shown)
        if self.config.scene == "start":
            return cosines, order, numbers, None, size / size.max(), None, None
        angle = torch.nan_to_num(measure.angles(rows[:, 0], rows[:, 1]))  # a pruned neuron has amplitude 0 anywhere
        grid = few_points.shown_grid(self.x, self.y)[0].to(self.device)
        if self.config.scene == "phase":
            width = str(self.config.portrayed_width())
            output, twin = outputs(self.networks[width], self.alphas[width], grid), None
        else:
            output, twin = self._outputs(grid[:, None])
        return cosines, order, numbers, angle, size / size.max(), output, twin

    def _outputs(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """f at x, shape (N, 1), of the network and of its twin, where there is one; shape (N,) each."""
        with torch.no_grad():
            both = {name: net(x)[:, 0] for name, net in self.networks.items()}
        return both["net"], both.get("twin")

    @instrument(
        every="record_every",
        exact=True,
        series=(
            Series("test_error", "Test error", statistic="mean square between the data over the target's variance"),
            Series("twin_test_error", "Test error without dropout", statistic="the same"),
        ),
    )
    def generalisation(self) -> tuple[Any, ...] | None:
        from lab.data import few_points

        if not knows_target(self.config):
            return None
        x, y = (part.to(self.device) for part in few_points.on_a_line(self.config.target, TEST_POINTS))
        scale = y.var(correction=0)
        return tuple(None if f is None else (f - y[:, 0]).square().mean() / scale for f in self._outputs(x))

    @instrument(
        every="steps",
        exact=True,
        series=(
            Series("output_x", "Inputs", "x"),
            Series("data", "Data", "y"),
            Series("widths", "Widths", "m"),
            Series("plane_gamma_prime", "Ratio of the layers", "γ'"),
            Series("plane_boundary", "Boundary of the condensed regime", "γ"),
            Series("plane_here", "This run", "γ"),
            Series("plane_ntk", "NTK", "γ"),
            Series("plane_mean_field", "Mean field, Xavier", "γ"),
            Series("plane_he", "LeCun, He", "γ"),
            Series("scales", "Scales of the start", statistic=", ".join(SCALES)),
        ),
    )
    def frame(self) -> tuple[Any, ...] | None:
        from lab.data import few_points
        from lab.models.two_layer import scales

        config = self.config
        if self.now or config.scene == "start":
            return None
        grid, data = few_points.shown_grid(self.x, self.y)
        if config.scene != "phase":
            return grid, data, *[None] * 8
        plane, theory, here = phase_plane(config.gamma, config.gamma_prime)
        start = scales(config.portrayed_width(), config.gamma, config.gamma_prime)
        widths = np.array(config.all_widths(), float)
        return grid, data, widths, plane, theory, here, *known_scalings(plane), np.array(start)

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return judge(config, run)

    @classmethod
    def study_verdict(cls, rows: Sequence[StudyRow]) -> Verdict | None:
        return judge_runs(rows)

    @classmethod
    def batch_key(cls, config: Any) -> Hashable | None:
        return stacked.key(config)

    @classmethod
    def batch(cls, members: Sequence[Any]) -> Batch:
        return stacked.batch(members, FITTED)
