"""A run of an adaptive optimiser as a verdict on its loss spikes reads it: curvatures in units of 2/η.

The knobs in force at each step count, so a run may be steered. Bai et al. (2025), arXiv 2506.04805.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.interventions import InForce
from lab.measures.detectors import Interval, crossings
from lab.measures.second_moment import crossing_step
from lab.optimizers import ADAPTIVE, MOMENTUM
from lab.stream import Source

TUNING = ("lr", "beta1", "beta2", "eps")  # live knobs that move v, Ĥ or 2/η
_RENAMED = {"excess": "preconditioned_sharpness", "gradient_excess": "preconditioned_gradient_curvature"}


@dataclass(frozen=True)
class SpikeRecord:
    """Series on the steps of the curvature readings, shape (T,), and the loss at every step, shape (N,).

    Attributes:
        excess: λ_max(Ĥ)·η/2 with the η in force: above 1 is unstable.
        gradient_excess: λ_grad(Ĥ)·η/2.
        v_ratio: v_t/v_{t-1}; NaN without a second moment, like the next two.
        second_moment: Mean v_t.
        decoupling: Largest g²/v.
        sharpness: λ_max(H).
    """

    config: Any
    knobs: InForce
    loss_step: np.ndarray
    loss: np.ndarray
    step: np.ndarray
    excess: np.ndarray
    gradient_excess: np.ndarray
    v_ratio: np.ndarray
    second_moment: np.ndarray
    decoupling: np.ndarray
    sharpness: np.ndarray

    @classmethod
    def of(cls, config: Any, run: Source) -> SpikeRecord:
        """Of a config with the knobs TUNING and ``optimizer``."""
        names = {f: _RENAMED.get(f, f) for f in (*_RENAMED, "v_ratio", "second_moment", "decoupling", "sharpness")}
        known = set(run.names())
        rows = {field: run.series(name) for field, name in names.items() if name in known}
        # a run that is still being written may be a row further in one series than in another
        step = min((s for s, _ in rows.values()), key=len, default=np.zeros(0, np.int64))
        values = {f: rows[f][1][: len(step)] if f in rows else np.full(len(step), np.nan) for f in names}
        knobs = InForce(config, run.events(), TUNING)
        half = knobs.at("lr", step) / 2
        values |= {name: values[name] * half for name in _RENAMED}
        loss_step, loss = run.series("train_loss") if "train_loss" in known else (step[:0], np.zeros(0))
        return cls(config, knobs, loss_step, loss, step, **values)

    @property
    def adaptive(self) -> bool:
        return self.config.optimizer in ADAPTIVE

    def knob(self, name: str, step: int) -> float:
        """Its value in force; a β1 that the optimiser does not use is 0."""
        unused = name == "beta1" and self.config.optimizer not in MOMENTUM
        return 0.0 if unused else float(self.knobs.at(name, step))

    @property
    def last(self) -> int:
        """The last recorded step."""
        return int(self.step[-1])

    @property
    def memory(self) -> int:
        """Steps that v remembers at the end of the run, 1/(1 - β2)."""
        return round(1 / (1 - self.knob("beta2", self.last)))

    def too_short(self) -> str:
        """Why the absence of spikes says nothing yet: it does after four memories of v, and after 1000 steps."""
        least = max(1000, 4 * self.memory)
        return f"too short: {self.last} of at least {least} steps" if self.last < least else ""

    def predicted_crossing(self, row: int) -> float | None:
        """The closed form's crossing on a quadratic of curvature ``config.curvature``, seen from a row."""
        step = int(self.step[row])
        reset = any(at <= step for at, _ in self.knobs.actions)  # v = g² has forgotten its start
        return crossing_step(
            curvature=self.config.curvature,
            lr=self.knob("lr", step),
            beta1=self.knob("beta1", step),
            beta2=self.knob("beta2", step),
            eps=self.knob("eps", step),
            square=float(self.second_moment[row]),
            step=step,
            forgotten=0.0 if reset else self.knobs.product("beta2", step),
        )

    def crossings(self) -> tuple[list[Interval], list[Interval]]:
        """Stretches of λ_max(Ĥ) and of λ_grad(Ĥ) above 2/η that began below it: a start above is no crossing."""
        first = self.step[0]
        above, along = (crossings(self.step, excess, 1.0) for excess in (self.excess, self.gradient_excess))
        return [s for s in above if s.start > first], [s for s in along if s.start > first]


def led(spike: int, above: list[Interval], along: list[Interval], *, above_before: int, along_before: int) -> bool:
    """Whether λ_max was over 2/η within some steps before a spike, λ_grad within fewer, and λ_max crossed first."""

    def start(stretches: list[Interval], begin: int) -> float:
        reaching = (s.start for s in stretches if s.start <= spike and (s.end is None or s.end > begin))
        return next(reaching, math.nan)

    return start(above, spike - above_before) < start(along, spike - along_before)
