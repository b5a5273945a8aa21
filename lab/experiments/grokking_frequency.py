"""Grokking seen in frequencies: training samples that carry a spurious low frequency send the test loss up first.

Zhou, Zhang, Xu (2024), arXiv 2405.17479. Scenes: sin kx on chosen samples, and parity.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from pydantic import model_validator

from lab.also import AlsoMeasure
from lab.config import Config, ConfigError, param
from lab.data.aliased_sine import aliased_positions, even_positions
from lab.experiment import Arm, Preset, Series, action, instrument
from lab.measures.detectors import Crossing, GapClosing
from lab.stream import Source
from lab.verdict import Check, StudyRow, Verdict, unlike
from lab.views import Curves, Heatmap, Line, Profile

if TYPE_CHECKING:
    from lab.measures.directions import Params
    from lab.measures.landscape import Loss

TEST_POINTS = 1000
FINE = 50  # frequencies per unit of k in the spectra drawn as curves
PARITY_FREQUENCIES = 64  # from 0 to 2π

SETTLED = 100  # steps: at initialisation the network may carry the low frequency and a large test loss by chance
FOUND = "step at which the test error is below 2 %"  # names a check that studies compare
TRAINED = 0.5  # steps times Adam's rate after which a run without grokking has none
FITTED = 0.40  # train MSE at which the plateau of sin kx is over; the zero function has 0.5


class GrokkingFrequencyConfig(Config):
    scene: Literal["sine", "parity"] = param(
        "sine", "Scene", group="Data", help="sine: sin kx on [-π, π]. parity: the product of all bits in {-1, 1}."
    )
    sampling: Literal["uneven", "even"] = param(
        "uneven",
        "Sampling",
        group="Data",
        help="uneven: points where sin x and sin 3x nearly fit the target, and an even grid. even: the grid alone.",
    )
    samples: int = param(65, "Training samples", symbol="n", min=30, max=2000, group="Data", help="Of the sine.")
    near_first: int = param(
        20, "Samples near sin x", min=0, max=500, group="Data", help="Chosen where sin x is closest to the target."
    )
    near_third: int = param(
        10, "Samples near sin 3x", min=0, max=500, group="Data", help="Chosen where sin 3x is closest to the target."
    )
    frequency: int = param(6, "Target frequency", symbol="k", min=1, max=10, group="Data", help="Angular: sin kx.")
    bits: int = param(10, "Bits", min=4, max=12, group="Data", help="Of the parity: 2^bits points in all.")
    share: float = param(0.5, "Training share", min=0.1, max=0.9, group="Data", help="Of the parity's points.")
    activation: Literal["sin", "relu", "tanh"] = param("sin", "Activation", group="Network")
    depth: int = param(2, "Hidden layers", min=1, max=3, group="Network")
    width: int = param(100, "Hidden width", min=1, max=4096, group="Network", paper=500)
    init_scale: float = param(
        1.0, "Initialisation scale", symbol="α", min=0.1, max=10.0, log=True, group="Network", help="Times the weights."
    )
    optimizer: Literal["adam", "sgd"] = param("adam", "Optimiser", group="Optimiser", help="Full batch.")
    lr: float = param(2e-4, "Learning rate", symbol="η", min=1e-7, max=1.0, log=True, live=True, group="Optimiser")
    steps: int = param(2500, "Steps", min=1, max=1_000_000_000, group="Run", paper=40_000)
    record_every: int = param(
        25, "Record every", unit="steps", min=1, max=10_000, group="Run", help="Steps between readings of the test set."
    )
    highest: int = param(12, "Highest frequency", symbol="k", min=1, max=50, group="Run", help="Of the sine's spectra.")

    @model_validator(mode="after")
    def _room_for_chosen_samples(self) -> Self:
        chosen = self.near_first + self.near_third
        if self.scene == "sine" and self.sampling == "uneven" and chosen > self.samples:
            raise ValueError(f"samples = {self.samples} cannot hold {chosen} chosen ones; raise it or choose fewer")
        if self.scene == "sine" and self.frequency > self.highest:
            raise ValueError(f"highest = {self.highest} leaves out the target's k = {self.frequency}; raise it")
        return self


def sine(config: Any) -> bool:
    return config.scene == "sine"


def parity(config: Any) -> bool:
    return config.scene == "parity"


K_LABEL = "angular frequency k"
SPECTRA = ("output_train_spectrum", "output_test_spectrum", "target_train_spectrum", "target_test_spectrum")
ZERO = Line("zero function", lambda config: 0.5 if sine(config) else 1.0)

WIDE = {"width": 500, "lr": 2e-5, "steps": 40_000}  # the paper's figures show as many steps
PARITY = {"scene": "parity", "activation": "relu", "depth": 1, "width": 1000, "lr": 2e-4, "steps": 2500}


def _sine(settings: Mapping[str, Any], expect: Literal["reproduced", "not reproduced"], note: str) -> Arm:
    """An arm of the sine, as wide and slow as the preset."""
    return Arm(settings, expect, note, {"paper": WIDE}, whole=True)


class GrokkingFrequency(AlsoMeasure):
    title = "Grokking and frequency"
    theme = "Frequency"
    claim = "Test loss rises before it falls where samples carry a low frequency that the test data lack."
    paper = "Zhou, Zhang, Xu (2024), arXiv 2405.17479"
    about = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    Config = GrokkingFrequencyConfig
    readings = (Series("train_loss", "Training loss", "L_train", "MSE"),)
    views = (
        Curves(
            ("train_loss", "test_loss"),
            title="Loss",
            y_label="MSE",
            lines=(ZERO,),
            help="The test loss rises above that of the zero function before it falls: the hump is small and linear.",
        ),
        Profile(
            "grid",
            ("target_curve", "output_curve", "sample_curve"),
            points=("sample_curve",),
            title="Output",
            x_label="x",
            y_label="f(x)",
            when=sine,
            help="First sin x goes through the chosen samples, then sin kx is found.",
        ),
        Profile(
            "fine_frequency",
            ("target_train_curve", "output_train_curve"),
            title="Spectrum on the training samples",
            of="frequency",
            x_label=K_LABEL,
            y_label="|F(k)|",
            help="Before training: a bar at k = 1 that the test grid does not have comes from where the samples lie.",
        ),
        Profile(
            "fine_frequency",
            ("target_test_curve", "output_test_curve"),
            title="Spectrum on the test samples",
            of="frequency",
            x_label=K_LABEL,
            y_label="|F(k)|",
            help="The spurious low frequency appears in the output and goes away again.",
        ),
        Heatmap(
            "output_test_spectrum",
            rows="frequency",
            of="frequency",
            title="Output's frequencies over time",
            y_label=K_LABEL,
            z_label="|F(k)| on the test samples",
        ),
        Heatmap(
            "relative_error",
            rows="frequency",
            of="frequency",
            title="Relative error per frequency",
            y_label=K_LABEL,
            z_label="|D - F|/|D| on the training samples",
            z_range=(0.0, 1.5),
            centre=1.0,
            help="Only where the target has something: low frequencies turn first.",
        ),
        Curves(
            ("low_amplitude", "target_amplitude"),
            title="Low and true frequency",
            y_label="|F| on the test samples",
            lines=(Line("spurious from here", 0.12),),
            when=sine,
        ),
        Curves(("train_accuracy", "test_accuracy"), title="Accuracy", y_label="share of right signs", when=parity),
        Heatmap(
            "residual_test_spectrum",
            rows="frequency",
            of="frequency",
            title="Residual's frequencies over time",
            y_label=K_LABEL,
            z_label="|F(k)| of target - output on the test samples",
            primary=False,
        ),
        Heatmap(
            "target_train_spectrum",
            rows="frequency",
            of="frequency",
            title="Target's frequencies over time",
            y_label=K_LABEL,
            z_label="|F(k)| on the training samples",
            primary=False,
            help="Changes only where samples are added or replaced during the run.",
        ),
        Curves(("spectrum_mismatch",), title="Mismatch of the data's spectra", primary=False),
    )
    presets = {
        "demo": Preset({}, "sin 6x on 65 samples, a second or two of training."),
        "parity": Preset(PARITY, "Ten bits, half of the 1024 points for training."),
        "paper": Preset(WIDE, "sin 6x as wide and slow as the paper's figures look."),
    }
    arms = {
        "uneven": _sine({}, "reproduced", "65 samples, 30 of them where low waves fit."),
        "even": _sine({"sampling": "even"}, "not reproduced", "65 samples on a grid: no spurious frequency."),
        "dense": _sine({"samples": 1000}, "not reproduced", "The 30 chosen samples are lost among 1000."),
        "parity-0.5": Arm({**PARITY, "share": 0.5}, "reproduced", "Half of the points.", whole=True),
        "parity-0.8": Arm({**PARITY, "share": 0.8}, "reproduced", "More data, a shorter delay.", whole=True),
        "parity-0.2": Arm({**PARITY, "share": 0.2}, "not reproduced", "The true wave is never found.", whole=True),
    }
    detectors = (
        Crossing("test_loss", lambda config: 0.54 if sine(config) else 1.08),
        GapClosing(level=0.99, gap=0.02),
    )
    state = ("model", "optimizer", "train_x", "train_y", "test_x", "test_y")
    previews = ("spectra", "spectrum_curves", "curve")

    def setup(self) -> None:
        from lab.data.parity import parity as parity_points
        from lab.models.mlp import MLP, draw_uniform

        config = self.config
        if sine(config):
            place = {"frequency": config.frequency}
            chosen = {"near_first": config.near_first, "near_third": config.near_third}
            uneven = config.sampling == "uneven"
            x = aliased_positions(config.samples, **place, **chosen) if uneven else even_positions(config.samples)
            self.train_x, self.train_y = self._wave(x)
            self.test_x, self.test_y = self._wave(even_positions(TEST_POINTS))
        else:
            x, y = (part.to(self.device) for part in parity_points(config.bits))
            order = torch.randperm(len(x), generator=self.generator("data")).to(self.device)
            count = round(config.share * len(x))
            self.train_x, self.train_y = x[order[:count]], y[order[:count]]
            self.test_x, self.test_y = x[order[count:]], y[order[count:]]
        widths = (self.train_x.shape[1], *[config.width] * config.depth, 1)
        self.model = MLP(widths, config.activation, generator=self.generator("init"))
        draw_uniform(self.model.layers, self.generator("init"), config.init_scale)
        self.model.to(self.device)
        if config.optimizer == "adam":
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.lr, fused=True)
        else:
            self.optimizer = torch.optim.SGD(self.model.parameters(), lr=config.lr)

    def _wave(self, x: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """The sine's inputs, shape (n, 1), and targets, shape (n,)."""
        y = np.sin(self.config.frequency * x)
        inputs, targets = (torch.from_numpy(part).to(self.device, torch.float32) for part in (x, y))
        return inputs[:, None], targets

    def step(self) -> Mapping[str, Any]:
        loss = torch.nn.functional.mse_loss(self.model(self.train_x)[:, 0], self.train_y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"train_loss": loss}

    def objective(self) -> tuple[Loss, Params]:
        def criterion(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.mse_loss(output[:, 0], target)

        return self.loss_of(self.model, criterion, self.train_x, self.train_y)

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr

    @action("Add samples", help="Sine: more points on an even grid. Parity: points moved from the test set.")
    def add_samples(self, count: int = 20) -> None:
        if count < 1 or (parity(self.config) and count >= len(self.test_x)):
            raise ConfigError({"count": f"{count} is not admissible: 1 or more, and something must be left to test"})
        if sine(self.config):
            x, y = self._wave(even_positions(count))
        else:
            x, y = self.test_x[:count], self.test_y[:count]
            self.test_x, self.test_y = self.test_x[count:], self.test_y[count:]
        self.train_x, self.train_y = torch.cat([self.train_x, x]), torch.cat([self.train_y, y])

    @action("Sample evenly from now on", help="Sine: as many training points as before, on an even grid.")
    def sample_evenly(self) -> None:
        if not sine(self.config):
            raise ConfigError({"sample_evenly": "only the sine's samples have a place on a line"})
        self.train_x, self.train_y = self._wave(even_positions(len(self.train_x)))

    @action("Snapshot", help="Marks this step in the run, for the figure of three chosen steps.")
    def snapshot(self) -> None:
        """The event that the engine records is the mark."""

    def _samples(self, part: Literal["train", "test"]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Positions along the spectrum's direction, targets and outputs, shape (n,) each."""
        from lab.measures.frequency import project

        x, y = (self.train_x, self.train_y) if part == "train" else (self.test_x, self.test_y)
        with torch.no_grad():
            output = self.model(x)[:, 0]
        return project(x, torch.ones(x.shape[1])), y, output

    def _highest(self) -> float:
        return self.config.highest if sine(self.config) else 2 * math.pi

    @instrument(
        every="record_every",
        exact=True,
        series=(
            Series("test_loss", "Test loss", "L_test", "MSE"),
            Series("train_accuracy", "Training accuracy", statistic="share of right signs"),
            Series("test_accuracy", "Test accuracy", statistic="share of right signs"),
            Series("frequency", "Frequency", "k", "rad per unit of x"),
            Series("output_train_spectrum", "Output on the training samples", "|F(k)|"),
            Series("output_test_spectrum", "Output on the test samples", "|F(k)|"),
            Series("target_train_spectrum", "Target on the training samples", "|D(k)|"),
            Series("target_test_spectrum", "Target on the test samples", "|D(k)|"),
            Series("residual_test_spectrum", "Residual on the test samples", "|D(k) - F(k)|"),
            Series("relative_error", "Relative error on the training samples", "|D - F|/|D|"),
            Series("low_amplitude", "Output at k = 1", "|F(1)|", statistic="test samples"),
            Series("target_amplitude", "Output at the target's k", "|F(k)|", statistic="test samples"),
            Series("spectrum_mismatch", "Mismatch of the data's spectra", "Σ|D_train - D_test|/Σ D_test"),
        ),
    )
    def spectra(self) -> tuple[Any, ...]:
        from lab.measures.frequency import nudft, relative_error

        if sine(self.config):
            k = torch.arange(self.config.highest + 1, dtype=torch.float64)
        else:
            k = torch.linspace(0, self._highest(), PARITY_FREQUENCIES, dtype=torch.float64)
        accuracies, transforms = [], []
        for part in ("train", "test"):
            position, target, output = self._samples(part)
            accuracies.append(((output > 0) == (target > 0)).double().mean())
            transforms.append(nudft(position, torch.stack([target, output], 1), k))
        loss = torch.nn.functional.mse_loss(output, target)
        train, test = transforms
        size = train[:, 0].abs()
        error = relative_error(train[:, 0], train[:, 1]).where(size >= 0.1 * size.max(), torch.nan)
        amplitudes = train[:, 1].abs(), test[:, 1].abs(), size, test[:, 0].abs()
        mismatch = (amplitudes[2] - amplitudes[3]).abs().sum() / amplitudes[3].sum()
        waves, signs = (None, None), accuracies
        if sine(self.config):
            waves, signs = (amplitudes[1][1], amplitudes[1][self.config.frequency]), (None, None)
        return loss, *signs, k, *amplitudes, (test[:, 0] - test[:, 1]).abs(), error, *waves, mismatch

    @instrument(
        every=250,
        series=(
            Series("fine_frequency", "Frequency", "k", "rad per unit of x"),
            Series("target_train_curve", "Target, training samples", "|D(k)|"),
            Series("output_train_curve", "Output, training samples", "|F(k)|"),
            Series("target_test_curve", "Target, test samples", "|D(k)|"),
            Series("output_test_curve", "Output, test samples", "|F(k)|"),
        ),
    )
    def spectrum_curves(self) -> tuple[torch.Tensor, ...]:
        from lab.measures.frequency import amplitudes

        k = torch.arange(round(FINE * self._highest()) + 1, dtype=torch.float64) / FINE
        curves = []
        for part in ("train", "test"):
            position, target, output = self._samples(part)
            curves += amplitudes(position, torch.stack([target, output], 1), k).unbind(1)
        return k, *curves

    @instrument(
        every=100,
        series=(
            Series("grid", "Position", "x"),
            Series("target_curve", "Target", "sin kx"),
            Series("output_curve", "Output", "f(x)"),
            Series("sample_curve", "Training samples", "y", statistic="at the nearest point of the test grid"),
        ),
    )
    def curve(self) -> tuple[torch.Tensor, ...] | None:
        if not sine(self.config):
            return None
        x, target, output = self._samples("test")
        taken = torch.full_like(target, torch.nan)
        nearest = ((self.train_x[:, 0] - x[0]) / (x[1] - x[0])).round().long()
        taken[nearest] = target[nearest]
        return x, target, output, taken

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        """The card's thresholds: see the page."""
        step, test_loss = run.series("test_loss")
        loss_step, train_loss = run.series("train_loss")
        if step[-1] <= SETTLED:
            return Verdict.not_comparable(f"too short: {step[-1]} steps, and the first {SETTLED} do not count")
        checks = _judge_sine(run, step, test_loss, loss_step, train_loss) if sine(config) else _judge_parity(run)
        reason = _outside_the_claim(config, run)
        if reason:
            return Verdict.not_comparable(reason, *checks)
        net = {"activation": "sin", "depth": 2} if sine(config) else {"activation": "relu", "depth": 1}
        least = math.ceil(TRAINED / config.lr)
        early = (checks[0],) if parity(config) else checks[:3]  # what shows before the true wave is found
        undecided = all(check.passed for check in early) or not (train_loss < FITTED).any()
        late = f"too short: {step[-1]} of at least {least} steps at this rate"
        short = late if undecided and step[-1] < least else ""
        return Verdict.of(*checks).excused(unlike(config, net | {"init_scale": 1.0, "optimizer": "adam"}), short)

    @classmethod
    def study_verdict(cls, rows: Sequence[StudyRow]) -> Verdict | None:
        """Parity is found the sooner the larger the training share; None without several shares."""
        found: dict[float, list[float]] = {}
        for row in rows:
            if parity(row.config) and FOUND in row.checks:
                found.setdefault(row.config.share, []).append(row.checks[FOUND])
        if len(found) < 2:
            return None
        steps = {share: float(np.mean(found[share])) for share in sorted(found)}
        late = sum(more >= less for less, more in itertools.pairwise(steps.values()))
        note = ", ".join(f"{share:g}: {step:g}" for share, step in steps.items())
        return Verdict.of(Check("shares that find parity no sooner than the next smaller one", late, 0, 0, note))


def _outside_the_claim(config: Any, run: Source) -> str:
    """Why a run says nothing about the thresholds; empty where it does."""
    for event in run.events():
        if event["kind"] == "knobs" or (event["kind"] == "action" and event["payload"]["action"] != "snapshot"):
            return f"the run was steered at step {event['step']}"
    if not sine(config):
        return "" if config.bits == 10 else f"the numbers are those of 10 bits, not of {config.bits}"
    chosen = (config.frequency, config.near_first, config.near_third)
    if config.sampling == "uneven" and chosen != (6, 20, 10):
        return "the numbers are those of sin 6x with 20 samples near sin x and 10 near sin 3x"
    return "" if config.frequency == 6 else f"the numbers are those of sin 6x, not of sin {config.frequency}x"


def _judge_sine(
    run: Source, step: np.ndarray, test_loss: np.ndarray, loss_step: np.ndarray, train_loss: np.ndarray
) -> tuple[Check, ...]:
    alias, carried = run.series("target_train_spectrum")[1][0, 1], run.series("output_train_spectrum")[1][-1, 1]
    low = run.series("low_amplitude")[1]
    fitted = loss_step[train_loss < FITTED]
    plateau = int(fitted[0]) if len(fitted) else int(step[-1])
    during = (step >= SETTLED) & (step <= plateau)
    note = f"plateau up to step {plateau}" if len(fitted) else f"training loss never below {FITTED}"
    return (
        Check("training samples: target's |F(1)|", float(alias), low=0.15),
        Check("spurious |F(1)| of the output on the plateau", float(low[during].max(initial=-1)), 0.12, note=note),
        Check("highest test MSE on the plateau", float(test_loss[during].max(initial=-1)), low=0.54, note=note),
        Check("test MSE at the end", float(test_loss[-1]), high=0.01),
        Check("test |F(1)| of the output at the end", float(low[-1]), high=0.02),
        Check("training |F(1)|, output less target, at the end", float(carried - alias), -0.02, 0.02),
    )


def _judge_parity(run: Source) -> tuple[Check, ...]:
    step, accuracy = run.series("test_accuracy")
    test_loss = run.series("test_loss")[1]
    right = step[accuracy > 0.98]
    found = float(right[0]) if len(right) else math.inf
    before = test_loss[step <= found]
    return (
        Check("highest test MSE before, over the first", float(before.max() / test_loss[0]), low=1.02),
        Check(FOUND, found, high=float(step[-1])),
        Check("test error at the end", 1 - float(accuracy[-1]), high=0.02),
    )
