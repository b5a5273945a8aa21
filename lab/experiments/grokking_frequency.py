"""Grokking seen in frequencies: training samples that carry a spurious low frequency send the test loss up first.

Zhou, Zhang, Xu (2024), arXiv 2405.17479. Scenes: sin kx on chosen samples, parity, and images from a large start.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from pydantic import model_validator

from lab.also import AlsoMeasure
from lab.config import Config, ConfigError, param
from lab.data.aliased_sine import even_positions
from lab.experiment import Arm, Preset, Series, action, instrument
from lab.measures.detectors import Crossing, GapClosing
from lab.measures.frequency_checks import judge, judge_shares
from lab.optimizers import drop_gradients
from lab.stream import Source
from lab.verdict import StudyRow, Verdict
from lab.views import Curves, Heatmap, Line, Profile

if TYPE_CHECKING:
    from lab.data.batches import EpochBatches
    from lab.measures.directions import Params
    from lab.measures.landscape import Loss

FINE = 50  # frequencies per unit of k in the sine's spectra drawn as curves
COARSE, MANY = 64, 1000  # frequencies from 0 to 2π of the other scenes, in heatmaps and in curves


class GrokkingFrequencyConfig(Config):
    scene: Literal["sine", "parity", "images"] = param(
        "sine",
        "Scene",
        group="Data",
        help="sine: sin kx on [-π, π]. parity: the product of all bits in {-1, 1}. images: their classes, one-hot.",
    )
    sampling: Literal["uneven", "even"] = param(
        "uneven",
        "Sampling",
        group="Data",
        help="uneven: points where sin x and sin 3x nearly fit the target, and an even grid. even: the grid alone.",
    )
    samples: int = param(65, "Training samples", symbol="n", min=30, max=2000, group="Data", help="Of sine and images.")
    near_first: int = param(
        20, "Samples near sin x", min=0, max=500, group="Data", help="Chosen where sin x is closest to the target."
    )
    near_third: int = param(
        10, "Samples near sin 3x", min=0, max=500, group="Data", help="Chosen where sin 3x is closest to the target."
    )
    frequency: int = param(6, "Target frequency", symbol="k", min=1, max=10, group="Data", help="Angular: sin kx.")
    bits: int = param(10, "Bits", min=4, max=12, group="Data", help="Of the parity: 2^bits points in all.")
    share: float = param(0.5, "Training share", min=0.1, max=0.9, group="Data", help="Of the parity's points.")
    folder: str = param(
        "",
        "Image folder",
        group="Data",
        help="MNIST-style IDX files, CIFAR batches or a folder of images by class. Empty: scikit-learn's digits.",
    )
    activation: Literal["sin", "relu", "tanh"] = param("sin", "Activation", group="Network")
    depth: int = param(2, "Hidden layers", min=1, max=3, group="Network")
    width: int = param(100, "Hidden width", min=1, max=4096, group="Network", paper=500)
    init_scale: float = param(
        1.0, "Initialisation scale", symbol="α", min=0.1, max=10.0, log=True, group="Network", help="Times the weights."
    )
    optimizer: Literal["adam", "sgd"] = param("adam", "Optimiser", group="Optimiser")
    batch: int = param(0, "Batch", min=0, max=2000, group="Optimiser", help="Of the images. 0: all of them.")
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
        if self.scene == "images" and self.batch > self.samples:
            raise ValueError(f"batch = {self.batch} is more than the {self.samples} training images; lower it")
        return self


def sine(config: Any) -> bool:
    return config.scene == "sine"


def by_class(config: Any) -> bool:
    """Whether answers are right or wrong."""
    return config.scene != "sine"


def images(config: Any) -> bool:
    return config.scene == "images"


def functions(config: Any) -> bool:
    return config.scene != "images"


K_LABEL = "angular frequency k"
SPECTRA = ("output_train_spectrum", "output_test_spectrum", "target_train_spectrum", "target_test_spectrum")
ZERO = Line("zero function", lambda config: 0.5 if sine(config) else 1.0)

WIDE = {"width": 500, "lr": 2e-5, "steps": 40_000}  # the paper's figures show as many steps
PARITY = {"scene": "parity", "activation": "relu", "depth": 1, "width": 1000, "lr": 2e-4, "steps": 2500}
IMAGES = {"scene": "images", "activation": "relu", "depth": 3, "width": 200, "samples": 1000, "batch": 200}
IMAGES |= {"init_scale": 5.0, "lr": 1e-3, "steps": 5000, "record_every": 50}
SMALL = {"init_scale": 1.0, "optimizer": "sgd", "lr": 0.2}  # a mean over ten classes: ten times the paper's rate
LONG = {"init_scale": 8.0, "steps": 500_000, "record_every": 500}  # the paper's, of MNIST


def _sine(settings: Mapping[str, Any], expect: Literal["reproduced", "not reproduced"], note: str) -> Arm:
    """An arm of the sine, as wide and slow as the preset."""
    return Arm(settings, expect, note, {"paper": WIDE}, whole=True)


class GrokkingFrequency(AlsoMeasure):
    title = "Grokking and frequency"
    theme = "Frequency"
    claim = "Test loss rises, or stays behind, where training prefers other frequencies than the test data have."
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
            when=functions,
            help="The test loss rises above that of the zero function before it falls: the hump is small and linear.",
        ),
        Curves(("train_loss", "test_loss"), title="Loss of classes", y_label="MSE", y_log=True, when=images),
        Curves(("train_accuracy", "test_accuracy"), title="Accuracy", y_label="share of right answers", when=by_class),
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
            when=functions,
        ),
        Heatmap(
            "residual_test_spectrum",
            rows="frequency",
            of="frequency",
            title="What is missing at each frequency",
            y_label=K_LABEL,
            z_label="|F(k)| of target - output on the test samples",
            z_log=True,
            when=images,
            help="From torch's own start the low frequencies go first, from a large one they stay.",
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
        Heatmap(
            "residual_test_spectrum",
            rows="frequency",
            of="frequency",
            title="Residual's frequencies over time",
            y_label=K_LABEL,
            z_label="|F(k)| of target - output on the test samples",
            primary=False,
            when=functions,
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
        "images": Preset(IMAGES, "1000 digits, three hidden layers, weights times 5."),
        "images-paper": Preset(IMAGES | LONG, "As long as the paper, weights times 8; point the folder at MNIST."),
        "paper": Preset(WIDE, "sin 6x as wide and slow as the paper's figures look."),
    }
    arms = {
        "uneven": _sine({}, "reproduced", "65 samples, 30 of them where low waves fit."),
        "even": _sine({"sampling": "even"}, "not reproduced", "65 samples on a grid: no spurious frequency."),
        "dense": _sine({"samples": 1000}, "not reproduced", "The 30 chosen samples are lost among 1000."),
        "parity-0.5": Arm({**PARITY, "share": 0.5}, "reproduced", "Half of the points.", whole=True),
        "parity-0.8": Arm({**PARITY, "share": 0.8}, "reproduced", "More data, a shorter delay.", whole=True),
        "parity-0.2": Arm({**PARITY, "share": 0.2}, "not reproduced", "The true wave is never found.", whole=True),
        "images": Arm(IMAGES, "reproduced", "A large start.", {"images-paper": LONG}, whole=True),
        "images-small-start": Arm(
            IMAGES | SMALL, "not reproduced", "Torch's own start.", {"images-paper": LONG | SMALL}, whole=True
        ),
    }
    detectors = (
        Crossing("test_loss", lambda config: 0.54 if sine(config) else 1.08),
        GapClosing(level=0.99, gap=0.02),
    )
    state = ("model", "optimizer", "train_x", "train_y", "test_x", "test_y", "batches")
    previews = ("spectra", "spectrum_curves", "curve")

    def setup(self) -> None:
        from lab.data.batches import EpochBatches
        from lab.data.frequency_sets import of_scene
        from lab.measures.frequency import principal_direction
        from lab.models.captured import optimizer_for
        from lab.models.mlp import MLP, draw_uniform

        config = self.config
        parts = (part.to(self.device) for part in of_scene(config, self.generator))
        self.train_x, self.train_y, self.test_x, self.test_y = parts
        inputs, outputs = self.train_x.shape[1], 1 if functions(config) else self.train_y.shape[1]
        self.direction = principal_direction(self.train_x) if images(config) else torch.ones(inputs)
        widths = (inputs, *[config.width] * config.depth, outputs)
        self.model = MLP(widths, config.activation, generator=self.generator("init"))
        draw_uniform(self.model.layers, self.generator("init"), config.init_scale)
        self.model.to(self.device)
        self.batches: EpochBatches | None = None
        if images(config) and config.batch:
            self.batches = EpochBatches(config.samples, config.batch, self.generator("order"))
        parameters = self.model.parameters()
        if config.optimizer == "adam":
            self.optimizer = optimizer_for(self.device, torch.optim.Adam, parameters, config.lr, fused=True)
        else:
            self.optimizer = optimizer_for(self.device, torch.optim.SGD, parameters, config.lr)
        self.update = self.as_graph(self._update)

    def answers(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs, in the shape of the targets: (n,) or (n, classes)."""
        return self.model(x).squeeze(1)

    def step(self) -> Mapping[str, Any]:
        return {"train_loss": self.update(self.batches.take() if self.batches else None)}

    def _update(self, rows: torch.Tensor | None) -> torch.Tensor:
        x, y = (self.train_x, self.train_y) if rows is None else (self.train_x[rows], self.train_y[rows])
        loss = torch.nn.functional.mse_loss(self.answers(x), y)
        drop_gradients(self.optimizer)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def objective(self) -> tuple[Loss, Params]:
        def criterion(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.mse_loss(output.squeeze(1), target)

        return self.loss_of(self.model, criterion, self.train_x, self.train_y)

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        from lab.models.captured import set_rate

        set_rate(self.optimizer, self.config.lr)

    @action("Add samples", help="Sine: more points on an even grid. Otherwise: moved from the test set.")
    def add_samples(self, count: int = 20) -> None:
        if count < 1 or (by_class(self.config) and count >= len(self.test_x)):
            raise ConfigError({"count": f"{count} is not admissible: 1 or more, and something must be left to test"})
        if self.batches:
            raise ConfigError({"add_samples": "mini-batches go through the images that there are: take a batch of 0"})
        if sine(self.config):
            x, y = self._wave(count)
        else:
            x, y = self.test_x[:count], self.test_y[:count]
            self.test_x, self.test_y = self.test_x[count:], self.test_y[count:]
        self.train_x, self.train_y = torch.cat([self.train_x, x]), torch.cat([self.train_y, y])

    @action("Sample evenly from now on", help="Sine: as many training points as before, on an even grid.")
    def sample_evenly(self) -> None:
        if not sine(self.config):
            raise ConfigError({"sample_evenly": "only the sine's samples have a place on a line"})
        self.train_x, self.train_y = self._wave(len(self.train_x))

    def _wave(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """So many samples of the sine on an even grid."""
        from lab.data.frequency_sets import wave

        x, y = (part.to(self.device) for part in wave(even_positions(count), self.config.frequency))
        return x, y

    @action("Snapshot", help="Marks this step in the run, for the figure of three chosen steps.")
    def snapshot(self) -> None:
        """The event that the engine records is the mark."""

    def _samples(self, part: Literal["train", "test"]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Positions along the spectrum's direction, (n,), targets and outputs, (n,) or (n, classes)."""
        from lab.measures.frequency import project

        x, y = (self.train_x, self.train_y) if part == "train" else (self.test_x, self.test_y)
        with torch.no_grad():
            output = self.answers(x)
        return project(x, self.direction), y, output

    def _frequencies(self, *, fine: bool) -> torch.Tensor:
        """Angular k, (K,): whole numbers or FINE to the unit for the sine, up to 2π for the rest."""
        highest = self.config.highest
        if sine(self.config):
            return torch.linspace(0, highest, highest * (FINE if fine else 1) + 1, dtype=torch.float64)
        return torch.linspace(0, 2 * math.pi, MANY if fine else COARSE, dtype=torch.float64)

    @instrument(
        every="record_every",
        exact=True,
        series=(
            Series("test_loss", "Test loss", "L_test", "MSE"),
            Series("train_accuracy", "Training accuracy", statistic="share of right signs or classes"),
            Series("test_accuracy", "Test accuracy", statistic="share of right signs or classes"),
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
        from lab.measures.frequency import nudft

        k = self._frequencies(fine=False)
        accuracies, transforms = [], []
        for part in ("train", "test"):
            position, target, output = self._samples(part)
            accuracies.append(share_of_right(output, target) if by_class(self.config) else None)
            transforms.append(nudft(position, torch.stack([target, output], 1), k))
        loss = torch.nn.functional.mse_loss(output, target)
        (train_target, train), (test_target, test) = (t.unbind(1) for t in transforms)
        data = size(train_target), size(test_target)
        error = (size(train_target - train) / data[0]).where(data[0] >= 0.1 * data[0].max(), torch.nan)
        mismatch = (data[0] - data[1]).abs().sum() / data[1].sum()
        low = (None, None)
        if sine(self.config):
            low = test[1].abs(), test[self.config.frequency].abs()
        return loss, *accuracies, k, size(train), size(test), *data, size(test_target - test), error, *low, mismatch

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
        from lab.measures.frequency import nudft

        k = self._frequencies(fine=True)
        curves = []
        for part in ("train", "test"):
            position, target, output = self._samples(part)
            curves += [size(part) for part in nudft(position, torch.stack([target, output], 1), k).unbind(1)]
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
        return judge(config, run)

    @classmethod
    def study_verdict(cls, rows: Sequence[StudyRow]) -> Verdict | None:
        return judge_shares([row for row in rows if row.config.scene == "parity"])


def size(transform: torch.Tensor) -> torch.Tensor:
    """|F(k)|, over all outputs where there are several: (K,) of (K,) or (K, classes)."""
    return transform.abs() if transform.ndim == 1 else torch.linalg.vector_norm(transform, dim=1)


def share_of_right(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Share of right signs, (n,), or of largest entries at the right place, (n, classes)."""
    right = output.argmax(1) == target.argmax(1) if output.ndim > 1 else (output > 0) == (target > 0)
    return right.double().mean()
