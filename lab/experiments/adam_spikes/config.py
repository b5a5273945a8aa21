"""The knobs of adam-spikes."""

from typing import Literal, Self

from pydantic import model_validator

from lab.config import Config, param


class AdamSpikesConfig(Config):
    scene: Literal["quadratic", "network"] = param(
        "network",
        "Scene",
        group="Scene",
        help="quadratic: one parameter, constant curvature. network: two layers fitting sin x + sin 4x.",
    )
    optimizer: Literal["adam", "rmsprop", "momentum", "gd"] = param(
        "adam",
        "Optimiser",
        group="Optimiser",
        help="RMSProp is Adam with β1 = 0; GD with momentum is Adam without v; GD has neither.",
    )
    lr: float = param(
        0.02,
        "Learning rate",
        symbol="η",
        min=1e-4,
        max=1.0,
        log=True,
        live=True,
        group="Optimiser",
        help="The threshold that curvatures are held against is 2/η.",
    )
    beta1: float = param(
        0.9,
        "Momentum",
        symbol="β1",
        min=0.0,
        max=0.99,
        live=True,
        group="Optimiser",
        help="Decay of the average of gradients. Not used by RMSProp and GD.",
    )
    beta2: float = param(
        0.999,
        "Memory of squared gradients",
        symbol="β2",
        min=0.5,
        max=0.9999,
        live=True,
        group="Optimiser",
        help="Decay of v. The closer to 1, the longer v remembers large gradients that are gone. Try 0.9.",
    )
    eps: float = param(
        1e-8,
        "Stabiliser",
        symbol="ε",
        min=1e-12,
        max=1.0,
        log=True,
        live=True,
        group="Optimiser",
        help="Added to √v̂: a floor that keeps the preconditioner from growing. Try 0.1.",
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
        20,
        "Hidden units",
        min=1,
        max=1000,
        group="Network",
        help="The network has three parameters a unit and an output bias.",
        paper=200,
    )
    samples: int = param(
        200, "Training points", symbol="n", min=2, max=10_000, group="Network", help="Equispaced on [-π, π]."
    )

    @model_validator(mode="after")
    def _quadratic_starts_off_its_minimum(self) -> Self:
        if self.scene == "quadratic" and self.theta0 == 0:
            raise ValueError(
                "theta0 = 0 is the minimum of the quadratic, where nothing moves; start elsewhere, at 1 say"
            )
        return self
