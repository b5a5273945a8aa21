"""Averaged partial Jacobians grow as a power of depth at criticality and exponentially elsewhere. Doshi et al. (2023).

arXiv 2111.12143. The run's axis is depth: a step draws the next block of every network. In the scene "training" a
step trains deep networks over the plane instead, to see where they can be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from pydantic import model_validator

from lab.config import Config, ConfigError, param
from lab.experiment import Arm, Experiment, Preset, Series, action, instrument
from lab.measures.depth_checks import FEWEST, FIRST, fit_curve, judge
from lab.measures.mean_field import critical_sigma_w2, moments, propagate
from lab.memory import require_memory
from lab.stream import Source
from lab.verdict import Verdict
from lab.views import Curves, Line, Matrix, Table, TableRow

if TYPE_CHECKING:
    from lab.data.batches import EpochBatches
    from lab.models.deep_grid import DeepGrid

CLASSES, TRAIN_SIZE, TEST_SIZE = 10, 4000, 1000
SECONDS_A_NETWORK, SECONDS_A_WEIGHT = 3e-3, 4e-8  # of a block, on one core
MOST_SECONDS = 60


class PartialJacobiansConfig(Config):
    scene: Literal["curve", "map", "training"] = param(
        "curve",
        "Scene",
        group="Scene",
        help="curve: one point (σ_w², σ_b²). map: the same, and a grid around it. training: deep networks are trained "
        "at the point and on the grid; its preset has narrow ones and few points.",
    )
    activation: Literal["relu", "erf", "gelu", "tanh", "linear"] = param(
        "relu", "Activation", symbol="φ", group="Network", help="erf is erf(x), not erf(x/√2); gelu is exact."
    )
    sigma_w2: float = param(
        2.0, "Weight variance", symbol="σ_w²", min=1e-3, max=5.0, live=True, group="Network", help="times the fan-in"
    )
    sigma_b2: float = param(0.0, "Bias variance", symbol="σ_b²", min=0.0, max=5.0, live=True, group="Network")
    mu: float = param(
        0.0, "Residual connection", symbol="μ", min=0.0, max=1.0, live=True, group="Network", help="h' = Wφ(h) + b + μh"
    )
    norm: Literal["none", "pre", "post"] = param(
        "none", "LayerNorm", group="Network", help="pre: φ(LN(h)). post: LN(φ(h)), without residual connection."
    )
    width: int = param(400, "Width", symbol="N", min=16, max=2000, group="Network", paper=500)
    steps: int = param(
        50, "Depth", symbol="L", unit="blocks", min=2, max=1000, group="Run", help="training: its steps.", paper=48
    )
    variance0: float = param(
        1.0, "Variance of the input", symbol="K⁰", min=1e-6, max=1e6, log=True, group="Network", help="mean of (h⁰)²"
    )
    nets: int = param(
        80, "Networks", min=1, max=200, group="Averages", paper=3, help="Drawn anew, each with its input."
    )
    probes: int = param(10, "Probes a network", min=1, max=50, group="Averages", paper=5, help="Random unit tangents.")
    train_depth: int = param(30, "Depth of trained networks", unit="blocks", min=2, max=200, group="Training")
    train_lr: float = param(
        0.02, "Learning rate", symbol="η", min=1e-5, max=1.0, log=True, live=True, group="Training", help="Plain SGD."
    )
    train_batch: int = param(128, "Batch", min=1, max=TRAIN_SIZE, group="Training")
    map_nets: int = param(3, "Networks a grid point", min=1, max=50, group="Map")
    map_columns: int = param(8, "Columns", min=2, max=50, group="Map", help="Values of σ_w², without 0.", paper=9)
    map_rows: int = param(11, "Rows", min=2, max=50, group="Map", help="Values of σ_b², from 0.")
    map_sigma_w2: float = param(4.0, "Largest σ_w²", min=0.1, max=10.0, group="Map")
    map_sigma_b2: float = param(2.0, "Largest σ_b²", min=0.1, max=10.0, group="Map")

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """σ_b² of the grid's rows and σ_w² of its columns; at σ_w² = 0 nothing passes."""
        rows = np.linspace(0, self.map_sigma_b2, self.map_rows)
        return rows, np.linspace(0, self.map_sigma_w2, self.map_columns + 1)[1:]

    @model_validator(mode="after")
    def _post_norm_has_no_residual(self) -> Self:
        if self.norm == "post" and self.mu:
            raise ValueError("LayerNorm on activations (norm = post) is defined for mu = 0 only")
        return self

    @model_validator(mode="after")
    def _steps_do_not_take_minutes(self) -> Self:
        networks = self.nets + (self.map_nets * self.map_rows * self.map_columns if self.scene == "map" else 0)
        seconds = networks * (SECONDS_A_NETWORK + SECONDS_A_WEIGHT * self.width**2)
        if self.scene != "training" and seconds > MOST_SECONDS:
            raise ValueError(
                f"each of {networks} networks draws {self.width**2} weights for every block, which takes about "
                f"{seconds / 60:.0f} min: lower width, map_nets, map_rows or map_columns"
            )
        return self


def in_depth(config: Any) -> bool:
    """Whether the run's axis is depth."""
    return config.scene != "training"


def training(config: Any) -> bool:
    return config.scene == "training"


def mapped(config: Any) -> bool:
    """Whether a grid is measured in depth."""
    return config.scene == "map"


def gridded(config: Any) -> bool:
    """Whether there is a grid."""
    return config.scene != "curve"


_PLANE: dict[str, Any] = {"rows": "map_sigma_b2", "columns": "map_sigma_w2", "x_label": "σ_w²", "y_label": "σ_b²"}
_CHI: dict[str, Any] = {**_PLANE, "z_label": "χ_J", "centre": 1.0, "contours": (1.0,), "z_range": (0.0, 2.0)}
_CHI |= {"marks": "map_here"}
_J = ("log_apjn", "log_apjn_low", "log_apjn_high", "log_apjn_typical", "theory_log_apjn")


class PartialJacobians(Experiment):
    title = "Partial Jacobians"
    theme = "Initialisation and signals"
    claim = "Jacobians between layers grow as a power of depth at critical initialisation and exponentially elsewhere."
    paper = "Doshi, He, Gromov (2021, 2023), arXiv 2111.12143"
    about = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    Config = PartialJacobiansConfig
    readings = (
        Series("block_apjn", "APJN of one block", "J^{l,l+1}", statistic="mean over networks and probes"),
        Series("theory_block_apjn", "χ_J of the theory", "χ_J"),
        Series("weight_variance", "Weight variance of the block", "σ_w²"),
        Series("chi_map", "χ_J on the grid", "χ_J", statistic="mean over networks and probes, one block"),
        Series("theory_chi_map", "χ_J on the grid, theory", "χ_J"),
        Series("map_sigma_w2", "Columns of the grid", "σ_w²"),
        Series("map_sigma_b2", "Rows of the grid", "σ_b²"),
        Series("train_loss", "Training loss", "L", "nats", statistic="of the network at (σ_w², σ_b²)"),
    )
    also_note = "There are none: what trains here is a grid of networks, not one."
    views = (
        Curves(
            _J,
            title="Jacobian against depth",
            help="Straight: exponential. The mean over networks with its standard error, the mean of ln J, the theory.",
            x_label="depth l",
            y_label="ln J^{0,l}",
            when=in_depth,
        ),
        Curves(
            _J,
            title="Jacobian against logarithmic depth",
            help="Straight: a power law, as on the critical line.",
            x_label="depth l",
            y_label="ln J^{0,l}",
            x_log=True,
            when=in_depth,
        ),
        Curves(
            ("block_apjn", "theory_block_apjn"),
            title="Growth of one block",
            help="χ_J, measured and for infinite width: 1 is critical.",
            x_label="depth l",
            y_label="χ_J",
            lines=(Line("critical", 1.0),),
            when=in_depth,
        ),
        Curves(
            ("signal_variance", "theory_variance"),
            title="Signal against depth",
            help="ReLU with a bias keeps χ_J = 1 at σ_w² = 2 while K grows: not critical.",
            x_label="depth l",
            y_label="K^l",
            y_log=True,
            floor=1e-12,
            when=in_depth,
        ),
        Curves(("train_loss",), title="Training loss", help="At (σ_w², σ_b²).", y_label="cross-entropy", when=training),
        Curves(
            ("test_accuracy",),
            title="Test accuracy",
            help="At (σ_w², σ_b²).",
            y_label="accuracy",
            lines=(Line("chance", 1 / CLASSES),),
            when=training,
        ),
        Matrix(
            "accuracy_map",
            title="Training map",
            help="Test accuracy of a network at each point of the grid. The dashes are χ_J = 1.",
            z_label="test accuracy",
            z_range=(0.0, 1.0),
            marks="critical_sigma_w2",
            when=training,
            **_PLANE,
        ),
        Matrix(
            "chi_map",
            title="Phase map",
            help="White and the contour are χ_J = 1. The dash is this run's point.",
            when=mapped,
            **_CHI,
        ),
        Matrix("theory_chi_map", title="Phase map of the theory", help="At infinite width.", when=gridded, **_CHI),
        Table(
            (
                TableRow("χ_J of the last block, measured", "block_apjn"),
                TableRow("χ_J of the last block, theory", "theory_block_apjn"),
                TableRow("depth over which J changes by e", "correlation_depth"),
                TableRow("power of depth ζ, measured", "exponent"),
                TableRow("power of depth ζ, theory", "theory_exponent"),
                TableRow("R² of the exponential", "exponential_r2"),
                TableRow("R² of the power law", "power_r2"),
            ),
            title="Fits",
            help=f"Over layers {FIRST} to the slider's.",
            when=in_depth,
        ),
    )
    presets = {
        "curve": Preset({}, "One point of the plane, 80 networks of width 400 and depth 50."),
        "map": Preset({"scene": "map", "width": 200, "steps": 30}, "8 x 11 points, 3 networks of width 200 each."),
        "paper": Preset(
            {"width": 500, "steps": 48, "nets": 20, "probes": 5},
            "The paper's width, depth and probes, over more networks.",
        ),
        "training": Preset(
            {"scene": "training", "width": 128, "steps": 300, "nets": FEWEST}
            | {"map_columns": 6, "map_rows": 2, "map_sigma_b2": 0.5},
            "Networks of 30 blocks, trained for 300 steps at one point and at 12 others.",
        ),
    }
    arms = {
        "relu-critical": Arm({"activation": "relu", "sigma_w2": 2.0}, "reproduced", "J stays constant."),
        "erf-critical": Arm({"activation": "erf", "sigma_w2": math.pi / 4}, "reproduced", "J falls as 1/l."),
        "layernorm-residual": Arm(
            {"norm": "pre", "mu": 1.0, "sigma_w2": 2.0, "sigma_b2": 1.0}, "reproduced", "Critical for every σ."
        ),
        "relu-ordered": Arm({"sigma_w2": 1.5}, "not reproduced", "χ_J = 3/4: J falls exponentially."),
        "layernorm": Arm(
            {"norm": "pre", "sigma_w2": 2.0, "sigma_b2": 1.0}, "not reproduced", "χ_J = 1/2 without the residual."
        ),
        "layernorm-after": Arm({"norm": "post", "sigma_w2": 1.0}, "not reproduced", "χ_J = 1.47: J explodes."),
    }
    small = {"width": 100, "nets": FEWEST, "map_nets": 1, "map_columns": 3, "map_rows": 3}
    state = (
        *("h", "grid_h", "tangents", "logs", "variance", "grid_variance", "log_theory", "measured", "go_critical"),
        *("trained", "batches"),
    )

    def setup(self) -> None:
        from lab.measures.jacobians import unit_tangents

        config = self.config
        self.axes = config.axes()
        points = [(float(w), float(b)) for b in self.axes[0] for w in self.axes[1]]
        self.grid = points if config.scene == "map" else []
        self.trained: DeepGrid | None = None
        self.batches: EpochBatches | None = None
        if training(config):
            self._prepare_training([(config.sigma_w2, config.sigma_b2), *points])
        self.h = self._inputs(config.nets, "input")
        self.grid_h = self._inputs(len(self.grid) * config.map_nets, "grid")
        self.tangents = unit_tangents(self.h, config.probes, self.generator("data", "tangents"))
        self.logs = torch.zeros(config.probes, config.nets, dtype=torch.float64, device=self.device)
        self.variance = config.variance0
        self.grid_variance = [config.variance0] * len(self.grid)
        self.log_theory = [0.0]  # ln J^{0,l} of the theory and the measurement, l = 0 ... now
        self.measured: list[float] = []
        self.go_critical = False

    def _prepare_training(self, points: list[tuple[float, float]]) -> None:
        """Networks at each of the points, the run's own first, and the classes that they learn."""
        from lab.data.batches import EpochBatches
        from lab.data.gaussian_classes import DIMENSIONS, MEAN_SQUARE, gaussian_classes
        from lab.models.deep_grid import DeepGrid

        config = self.config
        weights = 4 * len(points) * config.train_depth * config.width**2
        activations = 12 * len(points) * config.train_depth * config.width * max(config.train_batch, TEST_SIZE)
        require_memory(
            3 * weights + activations, "the trained networks are too large; lower width, train_depth or the map"
        )
        drawn = gaussian_classes(CLASSES, TRAIN_SIZE, TEST_SIZE, self.generator("data", "classes"))
        self.x, self.y, self.test_x, self.test_y = (part.to(self.device) for part in drawn)
        kinds: dict[str, Any] = {"mu": config.mu, "norm": config.norm, "variance0": config.variance0}
        sizes = (DIMENSIONS, config.width, CLASSES)
        init = self.generator("init", "trained")
        self.trained = DeepGrid(
            points, sizes, config.train_depth, config.activation, init, input_square=MEAN_SQUARE, **kinds
        ).to(self.device)
        self.batches = EpochBatches(TRAIN_SIZE, config.train_batch, self.generator("order"))

    def _train(self, networks: DeepGrid, batches: EpochBatches) -> dict[str, Any]:
        """One step of plain gradient descent with every network; each has its own gradient."""
        rows = batches.take().to(self.device)
        losses = networks.losses(self.x[rows], self.y[rows])
        weights = list(networks.parameters())
        gradients = torch.autograd.grad(losses.sum(), weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.add_(gradient, alpha=-self.config.train_lr)
        return {"train_loss": losses[0].detach()} | ({} if self.now else self._plane())

    def _plane(self) -> dict[str, Any]:
        """The grid and the theory's χ_J on it after as many blocks as are trained."""
        config = self.config
        kinds: dict[str, Any] = {"mu": config.mu, "norm": config.norm, "start": config.variance0}
        chi = [
            [float(propagate(config.activation, config.train_depth, w, b, **kinds).chi_j[-1]) for w in self.axes[1]]
            for b in self.axes[0]
        ]
        return {"theory_chi_map": np.array(chi), "map_sigma_b2": self.axes[0], "map_sigma_w2": self.axes[1]}

    def _inputs(self, count: int, name: str) -> torch.Tensor:
        """h⁰, shape (count, N)."""
        size = (count, self.config.width)
        drawn = torch.randn(size, generator=self.generator("data", name), dtype=torch.float64)
        return (drawn * math.sqrt(self.config.variance0)).to(self.device)

    def step(self) -> Mapping[str, Any]:
        if self.trained is not None and self.batches is not None:
            return self._train(self.trained, self.batches)
        sigma_w2, sigma_b2 = self._here()
        chi, self.tangents = self._advance(self.h, sigma_w2, sigma_b2, self.tangents)
        size = torch.linalg.vector_norm(self.tangents, dim=2)
        self.logs = self.logs + size.log()
        self.tangents = self.tangents / size.clamp_min(torch.finfo(size.dtype).tiny)[..., None]
        self.variance, theory = self._theory(self.variance, sigma_w2, sigma_b2)
        self.log_theory = [*self.log_theory, self.log_theory[-1] + math.log(theory)]
        readings: dict[str, Any] = {"block_apjn": chi, "theory_block_apjn": theory, "weight_variance": sigma_w2}
        return readings | (self._step_grid() if self.grid else {})

    def _here(self) -> tuple[float, float]:
        """σ_w² and σ_b² of the next block."""
        config = self.config
        if not self.go_critical:
            return config.sigma_w2, config.sigma_b2
        return critical_point(config.activation, config.sigma_w2, config.mu, config.norm)

    def _theory(self, variance: float, sigma_w2: float, sigma_b2: float) -> tuple[float, float]:
        """K and χ_J of the next block at infinite width."""
        kinds: dict[str, Any] = {"mu": self.config.mu, "norm": self.config.norm, "start": variance}
        next_ = propagate(self.config.activation, 1, sigma_w2, sigma_b2, **kinds)
        return float(next_.variance[1]), float(next_.chi_j[0])

    def _advance(
        self, h: torch.Tensor, sigma_w2: float, sigma_b2: float, carried: torch.Tensor | None = None
    ) -> tuple[float, torch.Tensor]:
        """Send every row of h, in place, through a block of its own.

        Returns:
            The blocks' APJN, by fresh probes; and J t of the ``carried`` tangents t (P, nets, N).
        """
        from lab.measures.jacobians import push_tangents, unit_tangents
        from lab.models.residual_mlp import ResidualBlock

        config, total, pushed = self.config, 0.0, []
        kinds: dict[str, Any] = {
            "mu": config.mu,
            "norm": config.norm,
            "generator": self.generator("init"),
            "dtype": torch.float64,
        }
        with torch.no_grad():
            for net in range(len(h)):
                block = ResidualBlock(config.width, config.activation, sigma_w2, sigma_b2, **kinds).to(self.device)
                here = h[net : net + 1]
                fresh = unit_tangents(here, config.probes, self.generator("data", "probes"))
                both = fresh if carried is None else torch.cat([fresh, carried[:, net : net + 1]])
                after = push_tangents(block, here, both)
                total += float(after[: config.probes].square().sum()) / config.probes
                pushed.append(after[config.probes :])
                h[net] = block(here)[0]
        return total / len(h), torch.cat(pushed, dim=1)

    def _step_grid(self) -> dict[str, Any]:
        count, shape = self.config.map_nets, tuple(map(len, self.axes))
        pairs = []
        for index, point in enumerate(self.grid):
            chi, _ = self._advance(self.grid_h[index * count : (index + 1) * count], *point)
            variance, theory = self._theory(self.grid_variance[index], *point)
            self.grid_variance[index] = variance
            pairs.append((chi, theory))
        chi_map, theory_map = np.array(pairs).T.reshape(2, *shape)
        maps = {"chi_map": chi_map, "theory_chi_map": theory_map}
        return maps if self.now else maps | {"map_sigma_b2": self.axes[0], "map_sigma_w2": self.axes[1]}

    @instrument(
        every=1,
        exact=True,
        series=(
            Series("log_apjn", "Jacobian, mean over networks", "ln J^{0,l}", statistic="ln of the mean over networks"),
            Series("log_apjn_low", "less its standard error", "ln(J - δJ)"),
            Series("log_apjn_high", "plus its standard error", "ln(J + δJ)"),
            Series("log_apjn_typical", "mean of ln J", "⟨ln J⟩", statistic="mean over networks"),
            Series("theory_log_apjn", "theory", "ln J^{0,l}", statistic="infinite width"),
            Series("signal_variance", "Signal variance", "K^l", statistic="mean over units and networks"),
            Series("theory_variance", "Signal variance of the theory", "K^l"),
        ),
    )
    def curve(self) -> tuple[float, ...] | None:
        if training(self.config):
            return None
        nets = torch.logsumexp(2 * self.logs, dim=0).cpu().numpy() - math.log(len(self.logs))
        mean = float(np.logaddexp.reduce(nets) - math.log(len(nets)))
        relative = np.exp(nets - mean)
        error = float(relative.std(ddof=1) / math.sqrt(len(nets))) if len(nets) > 1 else 0.0
        self.measured = [*self.measured[: self.now], mean]
        low, high = mean + math.log(max(1 - error, 0.01)), mean + math.log1p(error)
        variance = float(self.h.square().mean())
        return mean, low, high, float(nets.mean()), self.log_theory[-1], variance, self.variance

    @instrument(
        every=1,
        exact=True,
        series=(
            Series("exponent", "Power of depth", "ζ", statistic=f"least squares over layers {FIRST} to l"),
            Series("theory_exponent", "Power of depth, theory", "ζ"),
            Series("correlation_depth", "Correlation depth", "ξ", "blocks", "1/|slope of ln J over l|"),
            Series("exponential_r2", "R² of the exponential", "R²"),
            Series("power_r2", "R² of the power law", "R²"),
        ),
    )
    def fits(self) -> tuple[float, ...] | None:
        if self.now < FIRST + 2 or training(self.config):
            return None
        fit, theory = fit_curve(np.array(self.measured)), fit_curve(np.array(self.log_theory))
        return fit.exponent, theory.exponent, fit.correlation_depth, fit.rate_r2, fit.exponent_r2

    @instrument(
        every=25,
        exact=True,
        series=(
            Series("test_accuracy", "Test accuracy", statistic="of the network at (σ_w², σ_b²)"),
            Series("accuracy_map", "Test accuracy on the grid", statistic="0 where a network has diverged"),
            Series("critical_sigma_w2", "σ_w² of χ_J = 1 in each row", "σ_w²", statistic="NaN where there is none"),
        ),
    )
    def accuracies(self) -> tuple[Any, ...] | None:
        if self.trained is None:
            return None
        found = self.trained.accuracies(self.test_x, self.test_y)
        critical = None if self.now else np.array([self._critical_in_row(b) for b in self.axes[0]])
        return found[0], found[1:].view(tuple(map(len, self.axes))), critical

    @instrument(
        "This run's point",
        every=1,
        exact=True,
        symbol="σ_w²",
        statistic="in the grid's row nearest to its σ_b²; NaN in the others, and where it lies outside",
    )
    def map_here(self) -> np.ndarray | None:
        if not gridded(self.config) or (self.now and training(self.config)):
            return None
        rows, columns = self.axes
        sigma_w2, sigma_b2 = self._here()
        inside = sigma_b2 <= rows[-1] and sigma_w2 <= columns[-1]
        here = np.full(len(rows), math.nan)
        here[np.abs(rows - sigma_b2).argmin()] = sigma_w2 if inside else math.nan
        return here

    def _critical_in_row(self, sigma_b2: float) -> float:
        """σ_w² at which χ_J of the theory first crosses 1 at this σ_b², as deep as the trained networks."""
        config = self.config
        kinds: dict[str, Any] = {"mu": config.mu, "norm": config.norm, "start": config.variance0}
        at = np.linspace(0, self.axes[1][-1], 201)[1:]
        log_chi = np.log([propagate(config.activation, config.train_depth, w, sigma_b2, **kinds).chi_j[-1] for w in at])
        crosses = np.flatnonzero((log_chi[:-1] < 0) != (log_chi[1:] < 0))
        if not len(crosses):
            return math.nan
        before, after = log_chi[crosses[0]], log_chi[crosses[0] + 1]
        return float(at[crosses[0]] + (at[1] - at[0]) * before / (before - after))

    @action("Go to critical", help="The next blocks are drawn at the nearest critical point; turning σ ends it.")
    def continue_at_criticality(self) -> None:
        if training(self.config):
            raise ConfigError({"continue_at_criticality": "trained networks keep the start that they have"})
        critical_point(self.config.activation, self.config.sigma_w2, self.config.mu, self.config.norm)
        self.go_critical = True

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        if {"sigma_w2", "sigma_b2"} & set(changed):
            self.go_critical = False

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return judge(config, run)


def critical_point(activation: str, sigma_w2: float, mu: float, norm: str) -> tuple[float, float]:
    """The critical (σ_w², σ_b²) to go to: σ_b = 0 without LayerNorm, the given σ_w² with LayerNorm on h.

    Raises:
        ConfigError: There is none in closed form.
    """
    if norm == "none" and activation != "gelu" and mu < 1:
        return critical_sigma_w2(activation, mu), 0.0
    if norm == "pre":  # χ_J = μ² + (1 - μ²) r with r = σ_w² <φ'²>/(σ_w² <φ²> + σ_b²)
        m = moments(activation, 1.0)
        return sigma_w2, sigma_w2 * (m.slope_square - m.square)
    raise ConfigError({"norm": f"no critical point of {activation} is known with norm = {norm} and mu = {mu:g}"})
