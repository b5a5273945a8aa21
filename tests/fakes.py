"""A tiny real experiment for tests: gradient descent on a quadratic, with instruments, live knobs and a verdict.

Its registry name is ``tests.fakes:``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch

from lab.config import Config, param
from lab.experiment import Arm, Experiment, Preset, Series, action, instrument
from lab.stream import Source
from lab.verdict import Check, Verdict
from lab.views import Curves, Line, Ribbon, Stage


class TinyConfig(Config):
    lr: float = param(0.1, "Learning rate", symbol="η", min=1e-6, max=1e3, log=True, live=True, group="Optimiser")
    width: int = param(3, "Width", min=1, max=1000, group="Network")
    noise: float = param(0.0, "Gradient noise", min=0.0, max=1.0, live=True, group="Optimiser")
    pause: float = param(0.0, "Sleep per step", unit="s", min=0.0, max=1.0, group="Run")
    blow_up_at: int | None = param(None, "Turn the loss to NaN at", min=0, group="Run")
    raise_at: int | None = param(None, "Raise an error at", min=0, group="Run")
    die_at: int | None = param(None, "Kill the process at", min=0, group="Run")
    steps: int = param(200, "Steps", min=1, max=10**9, group="Run")


class Tiny(Experiment):
    title = "Tiny quadratic"
    theme = "Tests"
    claim = "Gradient descent converges below 2/h and not above."
    paper = "None"
    about = "A quadratic."
    Config = TinyConfig
    readings = (Series("train_loss", "Training loss", "L", "MSE"),)
    views = (
        Curves(("train_loss",), title="Loss", y_label="L", y_log=True),
        Curves(("sharpness", "norm"), title="Sharpness", y_label="λ", lines=(Line("2/η", lambda c: 2 / c.lr),)),
        Ribbon("stage", title="Stages", stages=(Stage("far"), Stage("near"))),
    )
    also_views = (Curves(("largest",), title="Also: largest parameter"),)
    presets = {"demo": Preset({}), "long": Preset({"steps": 5000})}
    arms = {"stable": Arm({"lr": 0.1}, "reproduced"), "unstable": Arm({"lr": 2.5}, "not reproduced")}
    state = ("theta",)

    def setup(self) -> None:
        self.theta = torch.randn(self.config.width, generator=self.generator("init"), dtype=torch.float64)

    def step(self) -> Mapping[str, Any]:
        if self.config.pause:
            time.sleep(self.config.pause)
        if self.now == self.config.raise_at:
            raise RuntimeError("asked to fail")
        if self.now == self.config.die_at:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)
        loss = 0.5 * (self.theta**2).sum()
        if self.now == self.config.blow_up_at:
            self.theta[0] = torch.nan
            loss = loss * torch.nan
        noise = torch.randn(self.config.width, generator=self.generator("order"), dtype=torch.float64)
        self.theta = self.theta - self.config.lr * (self.theta + self.config.noise * noise)
        return {"train_loss": loss}

    @instrument("Sharpness", every=5, symbol="λ_max", unit="1/η")
    def sharpness(self) -> float:
        torch.rand(3)  # a careless instrument: the engine must keep this from changing the training
        return 1.0

    @instrument(
        every=2,
        series=(Series("norm", "Norm of θ"), Series("stage", "Stage"), Series("theta_now", "Parameters θ")),
    )
    def where(self) -> tuple[float, int, torch.Tensor]:
        norm = float(self.theta.norm())
        return norm, 1 if norm > 0.5 else 2, self.theta

    @instrument("Largest parameter", every=4, optional=True)
    def largest(self) -> float:
        return float(self.theta.abs().max())

    @action("Reset θ to one", help="Puts every parameter at 1.")
    def reset(self, value: float = 1.0) -> None:
        self.theta = torch.full_like(self.theta, value)

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        _, loss = run.series("train_loss")
        return Verdict.of(Check("last loss over first", float(loss[-1] / loss[0]), high=0.5))
