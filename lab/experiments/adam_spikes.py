"""Adam's loss spikes come from its own preconditioner. Bai et al. (2025), arXiv 2506.04805.

Scenes: A a quadratic in one dimension, B a two-layer network, C the same in 50 dimensions, D images, E a Transformer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from pydantic import model_validator

from lab.also import AlsoMeasure
from lab.config import Config, param
from lab.experiment import Arm, Preset, Series, action, instrument
from lab.measures import second_moment
from lab.measures.detectors import Crossing, Spike, SustainedCrossing
from lab.measures.spike_checks import free_decay_checks, spike_checks
from lab.measures.spike_record import SpikeRecord
from lab.optimizers import FlatAdam, Moments
from lab.stream import Source
from lab.verdict import Check, Verdict
from lab.views import Curves, ImageGrid, Line, Ribbon, Stage, Trace

if TYPE_CHECKING:
    from lab.data.batches import EpochBatches
    from lab.measures.directions import Params
    from lab.measures.landscape import Loss
    from lab.measures.warm_start import Start
    from lab.models.flat_loss import FlatLoss

COARSEST = 10  # steps between readings: λ_grad crosses some 10 steps before a spike
TOLERANCE = 1e-6  # relative, of the eigenvalues of closed forms; networks by autograd have 1e-3


def _live(default: float, label: str, symbol: str, least: float, most: float, help: str, *, log: bool = False) -> Any:
    options: dict[str, Any] = {"log": log, "live": True, "group": "Optimiser", "help": help}
    return param(default, label, symbol=symbol, min=least, max=most, **options)


class AdamSpikesConfig(Config):
    scene: Literal["quadratic", "network", "50-d", "images", "transformer"] = param(
        "network",
        "Scene",
        group="Scene",
        help="quadratic: one parameter, constant curvature. network: two layers fitting sin x + sin 4x. 50-d: two "
        "layers, a quadratic of 50 variables. images: two convolutions. transformer: a decoder on anchor functions.",
    )
    optimizer: Literal["adam", "rmsprop", "momentum", "gd"] = param(
        "adam",
        "Optimiser",
        group="Optimiser",
        help="RMSProp is Adam with β1 = 0; GD with momentum is Adam without v; GD has neither.",
    )
    lr: float = _live(0.02, "Learning rate", "η", 1e-4, 1.0, "Curvatures are held against 2/η.", log=True)
    beta1: float = _live(0.9, "Momentum", "β1", 0.0, 0.99, "Decay of the average of gradients; not in RMSProp and GD.")
    beta2: float = _live(
        0.999,
        "Memory of squared gradients",
        "β2",
        0.5,
        0.9999,
        "Decay of v. The closer to 1, the longer v remembers large gradients that are gone. Try 0.9.",
    )
    eps: float = _live(
        1e-8, "Stabiliser", "ε", 1e-12, 1.0, "Added to √v̂: a floor under the preconditioner. Try 0.1.", log=True
    )
    steps: int = param(4000, "Steps", min=1, max=1_000_000_000, group="Run", help="Optimiser updates.", paper=8000)
    record_every: int = param(
        4,
        "Record every",
        unit="steps",
        min=1,
        max=10_000,
        group="Run",
        help="Steps between readings of curvature and moments. The loss is recorded at every step. "
        "More than 10 is too coarse for the order of the crossings before a spike.",
    )
    curvature: float = param(
        1.0, "Curvature", symbol="h", min=1e-3, max=1e3, log=True, group="Quadratic", help="L = h θ²/2."
    )
    theta0: float = param(
        1.0, "Start", symbol="θ0", min=-1e3, max=1e3, group="Quadratic", help="Anything but the minimum, 0."
    )
    width: int = param(
        20, "Width", min=1, max=1000, group="Network", help="Hidden units; channels; d of the Transformer.", paper=200
    )
    samples: int = param(
        200, "Training data", symbol="n", min=2, max=60_000, group="Network", help="Points, images or sequences."
    )
    layers: int = param(2, "Layers", min=1, max=12, group="Network", help="Of the Transformer.", paper=8)
    batch: int = param(
        0,
        "Batch",
        min=0,
        max=60_000,
        group="Network",
        help="0: all data. Curvature is always read on all of it.",
    )
    folder: str = param(
        "",
        "Image folder",
        group="Network",
        help="MNIST-style IDX files, CIFAR batches or a folder of images by class. Empty: scikit-learn's digits.",
    )

    @model_validator(mode="after")
    def _scene_can_run(self) -> Self:
        if self.scene == "quadratic" and self.theta0 == 0:
            raise ValueError(
                "theta0 = 0 is the minimum of the quadratic, where nothing moves; start elsewhere, at 1 say"
            )
        if self.batch > self.samples:
            raise ValueError(f"batch {self.batch} is more than the {self.samples} training data: lower it")
        if self.scene == "transformer" and self.width < 2:
            raise ValueError("width: the Transformer needs at least 2")
        return self


def threshold(config: Any) -> float:
    """2/η, above which gradient descent along a direction of that curvature grows."""
    return 2 / config.lr


def batched(config: Any) -> bool:
    return config.batch > 0 and config.scene not in ("quadratic", "network")


def quadratic(config: Any) -> bool:
    """Whether the run is of the one-parameter scene."""
    return config.scene == "quadratic"


def decay_of_v(config: Any, run: Source) -> tuple[np.ndarray, np.ndarray] | None:
    """The longest free decay of v, a straight line on a log axis."""
    if not {"v_ratio", "second_moment"} <= set(run.names()):
        return None
    (step, ratio), (_, v) = run.series("v_ratio"), run.series("second_moment")
    rows = min(len(step), len(v))
    return second_moment.free_decay(step[:rows], ratio[:rows], v[:rows], config.beta2)


SHOWN = 12  # images
ABOVE = "1/η"  # curvature of the loss per parameter², in a unit that compares it with 2/η
FACTOR = "(1 - β1)/(1 + β1) / (1 - β1^t) / (√v̂ + ε)"
UPDATE = "u·Hu / u·g · (1 - β1)/(1 + β1) / (1 - β1^t), u = g/(√v̂ + ε)"


def _beside_spikes(series: tuple[str, ...], title: str, y_label: str, help: str, **options: Any) -> Curves:
    """Curves on a log axis with the spikes marked."""
    defaults: dict[str, Any] = {"y_log": True, "events": ("spike",), "floor": 1e-300}
    return Curves(series, title=title, y_label=y_label, help=help, **defaults | options)


_C: dict[str, Any] = {"scene": "50-d", "width": 100, "samples": 200, "lr": 0.1, "steps": 1200, "seed": 1}
_D: dict[str, Any] = {"scene": "images", "width": 8, "samples": 100, "lr": 0.05, "steps": 1200, "seed": 1}
_D |= {"record_every": 8}
_E: dict[str, Any] = {"scene": "transformer", "width": 8, "samples": 128, "lr": 0.02, "steps": 1600, "seed": 1}


class AdamSpikes(AlsoMeasure):
    title = "Adam spikes"
    theme = "Optimisers"
    claim = "Adam's loss spikes come from its own preconditioner outgrowing 2/η, not from a sharper landscape."
    paper = "Bai, Zhou, Zhao, Li, Li, Xiong, Yang, Zhang, Xu (2025), arXiv 2506.04805"
    about = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    Config = AdamSpikesConfig
    readings = (
        Series("train_loss", "Training loss", "L"),
        Series("theta", "Parameter", "θ"),
        Series("momentum", "Momentum", "m"),
    )
    also_note = "These read every scene but the parabola, which has one parameter."
    views = (
        _beside_spikes(
            ("train_loss",),
            "Loss",
            "L",
            "Spikes stand out of a loss that has long settled.",
            events=("spike", "knobs", "action"),
        ),
        _beside_spikes(
            ("preconditioned_sharpness", "preconditioned_gradient_curvature", "update_curvature"),
            "Curvature of the preconditioned Hessian",
            "λ",
            "λ_max crosses 2/η first; the loss rises once the curvature along the gradient has crossed too.",
            floor=1e-3,
            lines=(Line("2/η", threshold),),
            events=("spike", "crossing", "knobs", "action"),
        ),
        Ribbon(
            "stage",
            title="Stages",
            help="Descent, decoupling, crossing, spike, recovery: worked out at each step from what came before it.",
            stages=(
                Stage("Ordinary descent", "v follows the gradient."),
                Stage("v decoupled", "g² is far below v, v decays like β2^t and λ_max(Ĥ) grows."),
                Stage("λ_max over 2/η", "The top direction is unstable, the loss is still flat."),
                Stage("λ_grad over 2/η", "The gradient has turned that way: the loss grows while v still falls."),
                Stage("v catches up", "v rises, λ_max(Ĥ) falls back and the loss recovers."),
            ),
        ),
        _beside_spikes(
            ("second_moment", "squared_gradient"),
            "Second moment and squared gradient",
            "v, g²",
            "Where g² lies far below v, v falls on a straight line of slope log β2 per step and hears no gradient.",
            guides=(("slope log β2", decay_of_v),),
        ),
        _beside_spikes(
            ("sharpness", "gradient_curvature"),
            "Curvature of the landscape",
            "λ",
            "The raw Hessian hardly moves before a spike.",
            floor=1e-3,
        ),
        _beside_spikes(
            ("decoupling", "decoupling_mean"),
            "Decoupling",
            "g²/v",
            "g²/v: below 1 the second moment remembers more than it hears.",
            primary=False,
        ),
        _beside_spikes(
            ("v_ratio",),
            "Decay of the second moment",
            "v_t/v_{t-1}",
            "β2 where v only decays, above 1 where it catches up.",
            y_log=False,
            primary=False,
            lines=(Line("β2", lambda config: config.beta2),),
        ),
        _beside_spikes(
            ("gradient_alignment", "raw_gradient_alignment"),
            "Alignment of the gradient",
            "|cos|",
            "Before a spike the gradient turns along the top direction.",
            y_log=False,
            primary=False,
        ),
        _beside_spikes(
            ("effective_lr",), "Effective learning rate", "η/(√v̂ + ε)", "It grows as v decays.", primary=False
        ),
        _beside_spikes(
            ("theta",),
            "Parameter",
            "θ",
            "θ lies still for hundreds of steps, then swings.",
            y_log=False,
            primary=False,
            when=quadratic,
        ),
        Trace("theta", "momentum", title="Phase plot", when=quadratic, help="θ against m.", x_label="θ", y_label="m"),
        _beside_spikes(
            ("predicted_crossing",),
            "Predicted crossing",
            "step",
            "The step at which λ_max(Ĥ) will cross 2/η if v only decays from now on.",
            y_log=False,
            primary=False,
            when=quadratic,
            events=("crossing",),
        ),
        ImageGrid(
            "worst_images",
            labels="worst_errors",
            title="Images it fits worst",
            help="A spike unlearns some images before others. Below each: its squared error, mean over classes.",
            when=lambda config: config.scene == "images",
            z_range=(0.0, 1.0),
        ),
    )
    presets = {
        "network": Preset({"seed": 1}, "Two layers, 20 hidden units, sin x + sin 4x."),
        "quadratic": Preset(
            {"scene": "quadratic", "lr": 0.15, "beta2": 0.99, "steps": 3000, "record_every": 1},
            "One parameter and a curvature that never changes.",
        ),
        "50-d": Preset(_C, "Two layers on a quadratic of 50 variables: it fits all points, then spikes."),
        "images": Preset(_D, "Two convolutions on 8 x 8 digits."),
        "transformer": Preset(_E, "A decoder that reads the answer of anchor functions as a number."),
    }
    arms = {
        "spikes": Arm({"optimizer": "adam"}, "reproduced", "Adam with a long memory of squared gradients."),
        "gd": Arm({"optimizer": "gd"}, "not reproduced", "The same landscape and η without a preconditioner."),
        "beta2-0.9": Arm({"beta2": 0.9}, "not reproduced", "v forgets within ten steps and follows the gradient."),
        "eps-0.1": Arm(
            {"eps": 0.1},
            "not reproduced",
            "A floor under √v̂ keeps λ_max(Ĥ) below 2/η.",
            # a run without spikes says something only after four memories of v
            presets={
                "network": {"lr": 0.01, "seed": 0},
                "50-d": {"steps": 4001},
                "images": {"steps": 4001},
                "transformer": {"steps": 4001, "record_every": 8},
            },
        ),
    }
    detectors = (
        Spike("train_loss"),
        Crossing("preconditioned_sharpness", threshold),
        Crossing("preconditioned_gradient_curvature", threshold),
        SustainedCrossing("preconditioned_gradient_curvature", threshold),
    )
    state = ("theta", "optimizer", "batches", "rows", "last_stage", "directions")

    def setup(self) -> None:
        from lab.models import spike_tasks

        self.loss: FlatLoss
        self.loss, self.theta = spike_tasks.of_scene(self.config, self.generator, self.device)
        self.optimizer = FlatAdam(self.config.optimizer, self.theta)
        self.batches = self._batches()
        self.rows = self.batches.take() if self.batches else None
        self.last_stage = 0
        self.directions: dict[str, Start] = {}  # what the last readings of eigenvectors left, a head start
        self._here: tuple[torch.Tensor, torch.Tensor, Moments] | None = None

    def objective(self) -> tuple[Loss, Params] | None:
        """The loss over all data; of anchor functions over the sequences that curvature is measured on."""
        return self.loss.by_name(self.theta)

    def _batches(self) -> EpochBatches | None:
        from lab.data.batches import EpochBatches

        config = self.config
        return EpochBatches(config.samples, config.batch, self.generator("order")) if batched(config) else None

    def _at_theta(self) -> tuple[torch.Tensor, torch.Tensor, Moments]:
        """Loss, gradient and the moments that this step's update uses: computed once, read by instruments and step."""
        if self._here is None:
            config = self.config
            loss, gradient = self.loss.value_and_gradient(self.theta, self.rows)
            self._here = loss, gradient, self.optimizer.moments(gradient, config.beta1, config.beta2, config.eps)
        return self._here

    def step(self) -> Mapping[str, Any]:
        loss, _, moments = self._at_theta()
        readings = {"train_loss": loss}
        if self.config.scene == "quadratic":
            readings |= {"theta": self.theta[0], "momentum": moments.mean[0]}
        self.theta = self.optimizer.step(self.theta, moments, self.config.lr)
        if self.batches:  # those of the coming step, which instruments may look at first
            self.rows = self.batches.take()
        self._here = None
        return readings

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        if "beta1" in changed or "beta2" in changed:
            beta1, beta2 = (changed.get(name, (getattr(self.config, name),))[0] for name in ("beta1", "beta2"))
            self.optimizer.betas_changed(beta1, beta2)
        self._here = None

    @action("Reset v to g² now", help="Makes v forget everything but the gradient of this step.")
    def reset_second_moment(self) -> None:
        _, gradient, _ = self._at_theta()
        self.optimizer.reset_square(gradient)
        self._here = None

    @instrument(
        every="record_every",
        exact=True,
        series=(
            Series("squared_gradient", "Squared gradient", "g²", statistic="mean over parameters"),
            Series("squared_gradient_max", "Largest squared gradient", "max g²", statistic="max over parameters"),
            Series("second_moment", "Second moment", "v", statistic="mean over parameters"),
            Series("second_moment_max", "Largest second moment", "max v", statistic="max over parameters"),
            Series("v_ratio", "Second moment over the one before", "v_t/v_{t-1}", statistic="ratio of means"),
            Series("decoupling", "Squared gradient over second moment", "max g²/v", statistic="max over parameters"),
            Series("decoupling_mean", "Mean of g²/v", "⟨g²/v⟩", statistic="mean over parameters"),
            Series("effective_lr", "Effective learning rate", "η/(√v̂ + ε)", statistic="mean over parameters"),
        ),
    )
    def moments(self) -> tuple[float | None, ...]:
        _, gradient, moments = self._at_theta()
        return moments.beside(gradient, self.config.lr)

    @instrument(
        every="record_every",
        exact=True,
        series=(
            Series("sharpness", "Sharpness", "λ_max(H)", ABOVE, "largest algebraic"),
            Series("preconditioned_sharpness", "Sharpness of Ĥ", "λ_max(Ĥ)", ABOVE, f"largest; Ĥ = {FACTOR} H"),
            Series("gradient_curvature", "Curvature along the gradient", "λ_grad(H)", ABOVE, "g·Hg / g·g"),
            Series(
                "preconditioned_gradient_curvature",
                "Curvature of Ĥ along the gradient",
                "λ_grad(Ĥ)",
                ABOVE,
                "g·Ĥg / g·g",
            ),
            Series("update_curvature", "Curvature along the update", "λ_u", ABOVE, UPDATE),
            Series("gradient_alignment", "Gradient along the top direction of SHS", "|cos(g, e₁)|"),
            Series("raw_gradient_alignment", "Gradient along the top direction of H", "|cos(g, e₁(H))|"),
            Series("stage", "Stage", statistic="1 to 5, 0 without a second moment"),
        ),
    )
    def curvatures(self) -> tuple[float, ...]:
        from lab.measures.curvature import alignment, gradient_curvatures, preconditioned
        from lab.measures.operators import UndefinedError
        from lab.measures.preconditioners import Preconditioner

        _, _, moments = self._at_theta()
        config = self.config
        diagonal = Preconditioner(moments.diagonal, config.lr)
        try:
            hessian, gradient = self.loss.curvature(self.theta)
            raw, raw_direction = self._top("raw", hessian)
            top, direction = self._top("preconditioned", preconditioned(hessian, diagonal))
            along = gradient_curvatures(hessian, gradient, diagonal)
            aligned = alignment(gradient, direction), alignment(gradient, raw_direction)
        except UndefinedError:  # a diverged run, or one whose gradient underflowed to zero
            return *[math.nan] * 7, self.last_stage
        if moments.square is not None:
            self.last_stage = second_moment.next_stage(
                self.last_stage,
                sharpness=top,
                gradient_curvature=along[1],
                v_ratio=moments.growth,
                threshold=threshold(config),
                beta2=config.beta2,
            )
        return raw, top, *along, *aligned, self.last_stage

    def _top(self, name: str, operator: Any) -> tuple[float, torch.Tensor]:
        """λ_max (largest algebraic) and its unit eigenvector, shape (P,)."""
        from lab.measures.curvature import lambda_max

        exact = self.config.scene in ("quadratic", "network", "transformer")
        known = self.directions.get(name)
        found = lambda_max(operator, tol=TOLERANCE if exact else 1e-3, start=known, strict=False, max_hvps=200)
        self.directions[name] = found.start
        return found.value, found.vector

    @instrument("Predicted crossing", every="record_every", exact=True, symbol="t*", unit="steps")
    def predicted_crossing(self) -> float | None:
        """Quadratic scene: the step at which λ_max(Ĥ) would reach 2/η if v only decayed from here on."""
        _, _, moments = self._at_theta()
        config = self.config
        if config.scene != "quadratic" or moments.square is None:
            return None
        return second_moment.crossing_step(
            curvature=config.curvature,
            lr=config.lr,
            beta1=moments.beta1,
            beta2=config.beta2,
            eps=config.eps,
            square=float(moments.square[0]),
            step=self.now,
            forgotten=1 - moments.correction2,
        )

    @instrument(
        every=20,
        exact=True,
        series=(
            Series("worst_images", "Images of the largest error"),
            Series("worst_errors", "Their errors", "(f - y)²", statistic="mean over classes"),
        ),
    )
    def worst_images(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Images scene: what the network fits worst, the worst first."""
        from lab.models.flat_loss import ModuleLoss

        return self.loss.worst_pictures(self.theta, SHOWN) if isinstance(self.loss, ModuleLoss) else None

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return judge(config, run)


def judge(config: Any, run: Source) -> Verdict:
    """The card's checks of the run's scene; not comparable where a run cannot tell.

    A run whose η, β1, β2 or ε was turned, or whose v was reset, is held against the thresholds in force at each step.
    It can show the claim by what happened away from the interventions; it cannot refute it.
    """
    record = SpikeRecord.of(config, run)
    if len(record.step) < 2 or not len(record.loss):
        return Verdict.not_comparable("nothing to judge yet: at least two readings of the curvature are needed")
    widest = int(np.diff(record.step[:-1]).max(initial=1))  # the end of a run is read off the schedule
    if widest > COARSEST:
        return Verdict.not_comparable(
            f"curvature was read up to {widest} steps apart, too coarse for the crossings before a spike: "
            f"set record_every to {COARSEST} or less"
        )
    if record.adaptive and not np.isfinite(record.loss).all():
        bad = int(record.loss_step[~np.isfinite(record.loss)][0])
        return Verdict.not_comparable(f"the loss is not finite from step {bad}: lower lr")
    checks, reason = (free_decay_checks if quadratic(config) else spike_checks)(record)
    if not record.adaptive:
        return Verdict.of(Check("optimiser has a second moment", 0.0, low=1.0), *checks)
    verdict = Verdict.not_comparable(reason, *checks) if reason else Verdict.of(*checks)
    steered = (f"{what} at step {at}" for at, what in record.knobs.interventions[:1])
    return verdict.excused(*(f"{why}: a run that was steered can show the claim but not refute it" for why in steered))
