"""What a verdict reads of a run: recorded series, curvatures in units of 2/η, and the knobs in force at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.experiments.adam_spikes.optimizer import ADAPTIVE, MOMENTUM
from lab.stream import Event, Source

TUNING = ("lr", "beta1", "beta2", "eps")  # live knobs that move v, Ĥ or 2/η
NAMES = {"lr": "η", "beta1": "β1", "beta2": "β2", "eps": "ε"}


class InForce:
    """Knob values over the steps of a run, and the interventions that break its course.

    Args:
        config: Knobs of the run; where one was turned, the events say what it was before and after.
        events: The run's events, in their order.
    """

    def __init__(self, config: Any, events: list[Event]) -> None:
        self._config = config
        self._turns: dict[str, list[tuple[int, float, float]]] = {name: [] for name in TUNING}
        self._resets: list[int] = []
        self.interventions: list[tuple[int, str]] = []  # step and what was done
        for event in events:
            step, payload = event["step"], event["payload"]
            if event["kind"] == "knobs":
                for name in TUNING:
                    if name in payload["changed"]:
                        old, new = payload["changed"][name]
                        self._turns[name].append((step, float(old), float(new)))
                        self.interventions.append((step, f"{NAMES[name]} was set from {old:g} to {new:g}"))
            elif event["kind"] == "action":
                self._resets.append(step)
                self.interventions.append((step, "v was reset"))

    def at(self, name: str, step: Any) -> np.ndarray:
        """Value in force at each step, the shape of ``step``."""
        step, turns = np.asarray(step), self._turns[name]
        value = np.full(step.shape, turns[0][1] if turns else float(getattr(self._config, name)))
        for since, _, new in turns:
            value = np.where(step >= since, new, value)
        return value

    def forgotten(self, step: int) -> float:
        """Π β2 over the updates up to and including the one at ``step``; 0 after v was reset."""
        if any(reset <= step for reset in self._resets):
            return 0.0
        marks = sorted({0, step + 1, *(since for since, _, _ in self._turns["beta2"] if since <= step)})
        lengths, betas = np.diff(marks), self.at("beta2", marks[:-1])
        return float(np.exp(np.sum(lengths * np.log(betas))))

    def last_intervention(self, step: int) -> float:
        """Step of the last intervention at or before ``step``, minus infinity where there was none."""
        return max((at for at, _ in self.interventions if at <= step), default=-np.inf)

    def next_intervention(self, step: int) -> float:
        """Step of the first intervention after ``step``, infinity where there is none."""
        return min((at for at, _ in self.interventions if at > step), default=np.inf)


@dataclass(frozen=True)
class Record:
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
    def of(cls, config: Any, run: Source) -> Record:
        names = {
            "excess": "preconditioned_sharpness",
            "gradient_excess": "preconditioned_gradient_curvature",
            "v_ratio": "v_ratio",
            "second_moment": "second_moment",
            "decoupling": "decoupling",
            "sharpness": "sharpness",
        }
        known = set(run.names())
        rows = {field: run.series(name) for field, name in names.items() if name in known}
        # a run that is still being written may be a row further in one series than in another
        step = min((s for s, _ in rows.values()), key=len, default=np.zeros(0, np.int64))
        values = {f: rows[f][1][: len(step)] if f in rows else np.full(len(step), np.nan) for f in names}
        knobs = InForce(config, run.events())
        half = knobs.at("lr", step) / 2
        values |= {name: values[name] * half for name in ("excess", "gradient_excess")}
        loss_step, loss = run.series("train_loss") if "train_loss" in known else (step[:0], np.zeros(0))
        return cls(config, knobs, loss_step, loss, step, **values)

    @property
    def adaptive(self) -> bool:
        return self.config.optimizer in ADAPTIVE

    def momentum_at(self, step: int) -> float:
        """β1 in force; 0 where the optimiser has no momentum."""
        return float(self.knobs.at("beta1", step)) if self.config.optimizer in MOMENTUM else 0.0

    @property
    def last(self) -> int:
        """The last recorded step."""
        return int(self.step[-1])

    @property
    def memory(self) -> int:
        """Steps that v remembers at the end of the run, 1/(1 - β2)."""
        return round(1 / (1 - float(self.knobs.at("beta2", self.last))))

    @property
    def patience(self) -> int:
        """Steps that a run needs before the absence of spikes says anything: four memories of v, and at least 1000."""
        return max(1000, 4 * self.memory)
