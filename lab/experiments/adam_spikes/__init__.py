"""Adam's loss spikes come from its own preconditioner: scenes A (1-D quadratic) and B (two-layer network).

Bai et al. (2025), arXiv 2506.04805.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lab.experiment import Arm, Experiment, Preset, Series, action, instrument
from lab.experiments.adam_spikes.config import AdamSpikesConfig
from lab.experiments.adam_spikes.curvature import ScaledHessian, alignment, array
from lab.experiments.adam_spikes.judge import judge
from lab.experiments.adam_spikes.optimizer import Moments, Optimizer, growth
from lab.experiments.adam_spikes.theory import crossing_step, next_stage
from lab.experiments.adam_spikes.views import VIEWS, threshold
from lab.measures.detectors import Crossing, Spike, SustainedCrossing
from lab.models.closed_form import Quadratic, TwoLayerTanh
from lab.stream import Source
from lab.verdict import Verdict

ABOVE = "1/η"  # curvature of the loss per parameter², in a unit that compares it with 2/η
FACTOR = "(1 - β1)/(1 + β1) / (1 - β1^t) / (√v̂ + ε)"

UPDATE = "u·Hu / u·g · (1 - β1)/(1 + β1) / (1 - β1^t), u = g/(√v̂ + ε)"


class AdamSpikes(Experiment):
    title = "Adam spikes"
    theme = "Optimisers"
    claim = "Adam's loss spikes come from its own preconditioner outgrowing 2/η, not from a sharper landscape."
    paper = "Bai, Zhou, Zhao, Li, Li, Xiong, Yang, Zhang, Xu (2025), arXiv 2506.04805"
    about = Path(__file__).with_name("about.md").read_text(encoding="utf-8")
    Config = AdamSpikesConfig
    readings = (
        Series("train_loss", "Training loss", "L"),
        Series("theta", "Parameter", "θ"),
        Series("momentum", "Momentum", "m"),
    )
    views = VIEWS
    presets = {
        "network": Preset({"seed": 1}, "Two layers, 20 hidden units, sin x + sin 4x."),
        "quadratic": Preset(
            {"scene": "quadratic", "lr": 0.15, "beta2": 0.99, "steps": 3000, "record_every": 1},
            "One parameter and a curvature that never changes.",
        ),
    }
    arms = {
        "spikes": Arm({"optimizer": "adam"}, "reproduced", "Adam with a long memory of squared gradients."),
        "gd": Arm({"optimizer": "gd"}, "not reproduced", "The same landscape and η without a preconditioner."),
        "beta2-0.9": Arm({"beta2": 0.9}, "not reproduced", "v forgets within ten steps and follows the gradient."),
        "eps-0.1": Arm(
            {"eps": 0.1},
            "not reproduced",
            "A floor under √v̂ keeps λ_max(Ĥ) below 2/η.",
            presets={"network": {"lr": 0.01, "seed": 0}},
        ),
    }
    detectors = (
        Spike("train_loss"),
        Crossing("preconditioned_sharpness", threshold),
        Crossing("preconditioned_gradient_curvature", threshold),
        SustainedCrossing("preconditioned_gradient_curvature", threshold),
    )
    state = ("theta", "optimizer", "last_stage", "directions")

    def setup(self) -> None:
        config = self.config
        if config.scene == "quadratic":
            self.loss = Quadratic(config.curvature)
            self.theta = torch.full((1,), config.theta0, dtype=torch.float64, device=self.device)
        else:
            x = torch.linspace(-torch.pi, torch.pi, config.samples, dtype=torch.float64, device=self.device)
            self.loss = TwoLayerTanh(x, torch.sin(x) + torch.sin(4 * x), config.width)
            # seeded as a script would: manual_seed(1) in a notebook gives the network of seed 1
            seed = config.seed if config.init_seed is None else config.init_seed
            self.theta = self.loss.start(self.generator("init").manual_seed(seed))
        self.optimizer = Optimizer(config.optimizer, self.theta)
        self.last_stage = 0
        self.directions: dict[str, torch.Tensor] = {}  # top eigenvectors of the last reading
        self._here: tuple[torch.Tensor, torch.Tensor, Moments] | None = None

    def _at_theta(self) -> tuple[torch.Tensor, torch.Tensor, Moments]:
        """Loss, gradient and the moments that this step's update uses: computed once, read by instruments and step."""
        if self._here is None:
            config = self.config
            loss, gradient = self.loss.value_and_gradient(self.theta)
            self._here = loss, gradient, self.optimizer.moments(gradient, config.beta1, config.beta2, config.eps)
        return self._here

    def step(self) -> Mapping[str, Any]:
        loss, _, moments = self._at_theta()
        readings = {"train_loss": loss}
        if self.config.scene == "quadratic":
            readings |= {"theta": self.theta[0], "momentum": moments.mean[0]}
        self.theta = self.optimizer.step(self.theta, moments, self.config.lr)
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
        squared = array(gradient * gradient)
        effective = self.config.lr * float((1 / array(moments.denominator)).mean())
        sizes = float(squared.mean()), float(squared.max())
        if moments.square is None:
            return *sizes, *[None] * 5, effective
        v = array(moments.square)
        ratio = squared / np.maximum(v, np.finfo(v.dtype).tiny)  # both may underflow to 0: then nothing feeds v
        shares = float(ratio.max()), float(ratio.mean())
        return *sizes, float(v.mean()), float(v.max()), growth(moments), *shares, effective

    @instrument(
        every="record_every",
        exact=True,
        series=(
            Series("sharpness", "Sharpness", "λ_max(H)", ABOVE, "largest algebraic"),
            Series("preconditioned_sharpness", "Sharpness of Ĥ", "λ_max(Ĥ)", ABOVE, f"largest; Ĥ = {FACTOR} H"),
            Series("gradient_curvature", "Curvature along the gradient", "λ_grad(H)", ABOVE, "g·Hg / g·g"),
            Series("preconditioned_gradient_curvature", "The same of Ĥ", "λ_grad(Ĥ)", ABOVE, "g·Ĥg / g·g"),
            Series("update_curvature", "Curvature along the update", "λ_u", ABOVE, UPDATE),
            Series("gradient_alignment", "Gradient along the top direction of SHS", "|cos(g, e₁)|"),
            Series("raw_gradient_alignment", "Gradient along the top direction of H", "|cos(g, e₁(H))|"),
            Series("stage", "Stage", statistic="1 to 5, 0 without a second moment"),
        ),
    )
    def curvatures(self) -> tuple[float, ...]:
        _, gradient, moments = self._at_theta()
        config = self.config
        hessian = ScaledHessian(self.loss, self.theta)
        diagonal = moments.factor / array(moments.denominator)
        raw, raw_direction = hessian.top_pair(np.ones_like(diagonal), self.directions.get("raw"))
        top, direction = hessian.top_pair(np.sqrt(diagonal), self.directions.get("preconditioned"))
        self.directions = {"raw": raw_direction, "preconditioned": direction}
        gradient = gradient / gradient.abs().max()  # else g·g underflows where the loss is below 1e-308
        pair = torch.stack([gradient, gradient / moments.denominator])
        (g, u), (hg, hu) = array(pair), array(hessian(pair))
        numbers = (
            raw,
            top,
            float(g @ hg / (g @ g)),
            float(g @ (diagonal * hg) / (g @ g)),
            float(moments.factor * (u @ hu) / (u @ g)),
            alignment(g, array(direction)),
            alignment(g, array(raw_direction)),
        )
        if moments.square is not None:
            self.last_stage = next_stage(
                self.last_stage,
                sharpness=numbers[1],
                gradient_curvature=numbers[3],
                v_ratio=growth(moments),
                threshold=threshold(config),
                beta2=config.beta2,
            )
        return *numbers, self.last_stage

    @instrument("Predicted crossing", every="record_every", exact=True, symbol="t*", unit="steps")
    def predicted_crossing(self) -> float | None:
        """Quadratic scene: the step at which λ_max(Ĥ) would reach 2/η if v only decayed from here on."""
        _, _, moments = self._at_theta()
        if self.config.scene != "quadratic" or moments.square is None:
            return None
        return crossing_step(
            curvature=self.config.curvature,
            lr=self.config.lr,
            beta1=moments.beta1,
            beta2=self.config.beta2,
            eps=self.config.eps,
            square=float(moments.square[0]),
            step=self.now,
            forgotten=1 - moments.correction2,
        )

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return judge(config, run)
