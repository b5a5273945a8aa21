"""The knobs of river-valley."""

from typing import Any, Literal, Self

from pydantic import model_validator

from lab.config import Config, param

COUNTS = (20, 50, 100)  # eigenvectors that span the hill
SCHEDULES = ("wsd", "wsd_s", "cosine", "cyclic")


class RiverValleyConfig(Config):
    scene: Literal["valley", "bigram", "schedules"] = param(
        "valley",
        "Scene",
        group="Scene",
        help="valley: two dimensions. bigram: a table of next-token logits. schedules: the same table, four schedules.",
    )
    lr: float = param(0.1, "Learning rate", symbol="η", min=1e-6, max=1e3, log=True, live=True, group="Rate")
    rates: Literal["one", "three"] = param(
        "three",
        "Rates",
        group="Rate",
        help="three: two other rates run beside η, η/2 and η/5 or, in tables, 2η and η/2.",
    )
    branch_every: int = param(
        1000, "Branch by itself every", unit="steps", min=0, max=10**9, group="Rate", help="0: only by the button."
    )
    decay_steps: int = param(200, "Decay length", unit="steps", min=1, max=10**7, group="Rate")
    shape: Literal["linear", "inverse"] = param(
        "linear", "Decay shape", group="Rate", help="linear: to 0. inverse: 1/η grows evenly up to 1/η_min."
    )
    least: float = param(
        0.1, "Least share", symbol="η_min/η", min=1e-6, max=1.0, log=True, group="Rate", help="Where inverse ends."
    )
    compare: Literal["compute", "step"] = param(
        "compute",
        "Compare at equal",
        group="Rate",
        help="Schedules. compute: decayed copies count too. step: WSD-S stops where WSD's last budget does.",
    )
    steps: int = param(2300, "Steps", min=1, max=1_000_000_000, group="Run")
    record_every: int = param(10, "Record every", unit="steps", min=1, max=10_000, group="Run")
    gamma: float = param(10.0, "Curvature of the walls", symbol="γ", min=1e-3, max=1e4, log=True, group="Valley")
    bend: float = param(0.0, "Bend of the river", symbol="A", min=0.0, max=10.0, group="Valley", help="Try 0.5.")
    slope: float = param(0.01, "Fall of the river", symbol="s", min=0.0, max=10.0, group="Valley")
    sigma: float = param(1.0, "Gradient noise", symbol="σ", min=0.0, max=100.0, group="Valley", help="Across only.")
    walkers: int = param(2000, "Walkers", min=1, max=1_000_000, group="Valley")
    contexts: int = param(200, "Contexts", symbol="V", min=4, max=20_000, group="Table", paper=2000)
    tokens: int = param(10, "Next tokens", symbol="K", min=4, max=1000, group="Table")
    certain: float = param(0.5, "Certain contexts", min=0.0, max=1.0, group="Table", help="Share with one next token.")
    zipf: float = param(1.0, "Zipf exponent", min=0.0, max=3.0, group="Table", help="0: all contexts as frequent.")
    batch: int = param(64, "Batch", min=1, max=100_000, group="Table")
    full_batch: bool = param(False, "Full batch", group="Table", help="The population's gradient, without noise.")
    replicates: int = param(3, "Replicates", min=1, max=64, group="Table", help="Tasks side by side, for error bars.")

    @model_validator(mode="after")
    def _runs_that_can_be(self) -> Self:
        if self.scene == "valley" and self.lr * self.gamma >= 2:
            raise ValueError(f"lr · gamma = {self.lr * self.gamma:g} diverges between the walls; keep it below 2")
        if self.scene == "schedules" and self.steps < 43:
            raise ValueError(f"steps = {self.steps} has no room for three budgets and their decays; 43 is the least")
        if self.scene != "valley" and self.contexts * (self.tokens - 1) < COUNTS[-1]:
            raise ValueError(f"contexts · (tokens - 1) is below {COUNTS[-1]}, the directions of the hill; raise one")
        return self


def valley(config: Any) -> bool:
    return config.scene == "valley"


def bigram(config: Any) -> bool:
    return config.scene == "bigram"


def schedules(config: Any) -> bool:
    return config.scene == "schedules"


def branching(config: Any) -> bool:
    return config.scene != "schedules"


def factors(config: Any) -> tuple[float, ...]:
    """Rates of the lanes over η."""
    return (1.0,) if config.rates == "one" else (1.0, 0.5, 0.2) if valley(config) else (1.0, 2.0, 0.5)
