"""A network that knows the solution of an equation forgets it at once when its loss becomes the equation's residual.

Wang, Zhang, Zhang, Xu (2024), arXiv 2405.03095. Sizes and schedules are our own: the paper's were not at hand.
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
from lab.config import Config, ConfigError, param
from lab.experiment import Arm, Preset, Series, action, instrument
from lab.interventions import first_intervention
from lab.measures.detectors import Spike
from lab.measures.jump_checks import CLOSE, judge_scratch, judge_switch
from lab.measures.loss_switch import LossSwitch
from lab.optimizers import drop_gradients
from lab.stream import Source
from lab.verdict import Verdict, unlike
from lab.views import Curves, Heatmap, Profile, Table, TableRow, Trace

if TYPE_CHECKING:
    from lab.measures import landscape
    from lab.measures.directions import Params

MODES = 16  # sine coefficients of the error
LARGEST = 1e3  # amplitude

LESS = "of the error less the line through its ends; over the largest amplitude"

Loss = Literal["data", "derivative", "model"]


class LossJumpConfig(Config):
    scene: Literal["switch", "scratch"] = param(
        "switch",
        "Scene",
        group="Scene",
        help="switch: one network, whose loss changes on the way. scratch: two from one start, a loss for each.",
    )
    equation: Literal["poisson", "heat", "burgers", "wave"] = param(
        "poisson", "Equation", group="Problem", help="All but Poisson's have a time as well."
    )
    frequencies: str = param("1 4", "Frequencies", symbol="k", group="Problem", help="Of sin kπx in the solution.")
    amplitudes: str = param("1 0.5", "Amplitudes", group="Problem", help="One for each frequency.")
    viscosity: float = param(
        0.01 / math.pi, "Viscosity", symbol="ν", min=1e-3, max=1.0, log=True, group="Problem", help="Heat and Burgers."
    )
    speed: float = param(0.5, "Speed", symbol="c", min=0.01, max=10.0, log=True, group="Problem", help="Waves.")
    points: int = param(129, "Training points", symbol="n", min=8, max=10_000, group="Problem")
    first: Loss = param("data", "First loss", group="Losses", help="scratch: of the first network.")
    second: Loss = param(
        "model",
        "Second loss",
        group="Losses",
        help="data: u itself. derivative: ∂u/∂x and the boundary. model: the equation's residual and the boundary.",
    )
    beta: float = param(
        1.0,
        "Weight of the boundary",
        symbol="β",
        min=0.01,
        max=1000.0,
        log=True,
        live=True,
        group="Losses",
        help="Of boundary and initial condition, the only terms by which the residual knows low frequencies.",
    )
    switch_step: int = param(8000, "Switch at", unit="steps", min=0, max=1_000_000_000, group="Losses")
    blend: float = param(
        0.0, "Old loss that stays", min=0.0, max=1.0, live=True, group="Losses", help="Its share after the switch."
    )
    moments: Literal["keep", "reset"] = param("keep", "Adam's moments at the switch", group="Losses")
    width: int = param(50, "Hidden width", symbol="m", min=2, max=1000, group="Network")
    depth: int = param(2, "Hidden layers", min=1, max=6, group="Network")
    activation: Literal["tanh", "sin"] = param("tanh", "Activation", group="Network")
    optimizer: Literal["adam", "gd"] = param("adam", "Optimiser", group="Optimiser")
    lr: float = param(1e-3, "Learning rate", symbol="η", min=1e-6, max=1.0, log=True, group="Optimiser")
    lr_end: float = param(
        5e-5, "Rate at the switch", min=1e-7, max=1.0, log=True, group="Optimiser", help="At the end of a cosine."
    )
    lr_after: float = param(
        0.0, "Rate after the switch", min=0.0, max=1.0, live=True, group="Optimiser", help="0: as at the switch."
    )
    steps: int = param(9000, "Steps", min=1, max=1_000_000_000, group="Run")
    record_every: int = param(
        20, "Record every", unit="steps", min=1, max=10_000, group="Run", help=f"Every step for {CLOSE} after a switch."
    )

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        try:
            waves = self.waves()
        except ValueError:  # a word that is no number
            waves = ()
        if not waves or not all(1 <= k <= MODES and abs(a) <= LARGEST for k, a in waves):
            raise ValueError(
                f"frequencies: whole numbers from 1 to {MODES}, as many as amplitudes, which are at most {LARGEST:g}"
            )
        return self

    def waves(self) -> tuple[tuple[int, float], ...]:
        """k and amplitude of each sine; empty when the two lists do not fit."""
        frequencies, amplitudes = (text.replace(",", " ").split() for text in (self.frequencies, self.amplitudes))
        if len(frequencies) != len(amplitudes):
            return ()
        return tuple((int(k), float(a)) for k, a in zip(frequencies, amplitudes, strict=True))


def switching(config: Any) -> bool:
    return config.scene == "switch"


def from_scratch(config: Any) -> bool:
    return config.scene == "scratch"


_SCRATCH = {"scene": "scratch", "first": "data", "steps": 2000, "lr_end": 1e-3}
# One layer more and twice the rate: what is not yet learnt at the switch cannot be forgotten after it.
_TIME: dict[str, Any] = {"points": 512, "depth": 3, "lr": 2e-3}
_HEAT = _TIME | {"equation": "heat", "viscosity": 0.1, "lr": 5e-3}
_BURGERS = _TIME | {"equation": "burgers", "frequencies": "1", "amplitudes": "1"}
_BURGERS |= {"points": 1024, "switch_step": 16_000, "steps": 17_000}  # its front is thinner than points lie apart
_WAVE = _TIME | {"equation": "wave"}
_LONG = {"points": 1024, "switch_step": 30_000, "steps": 33_000, "record_every": 100}
_TIMED = {  # the equations with a time: settings and note of each preset
    "heat": (_HEAT, "The heat equation on 512 points: k = 1 and 4, each decaying at its own rate."),
    "burgers": (_BURGERS, "Burgers' equation on 1024 points: a sine that steepens to a front."),
    "wave": (_WAVE, "The wave equation on 512 points: k = 1 and 4, let go at rest."),
    "heat-long": (_HEAT | _LONG, "The heat equation on 1024 points, 30 000 steps on data."),
    "burgers-long": (_BURGERS | _LONG, "Burgers' equation, likewise."),
}
_MODE_AXES: dict[str, Any] = {"y_label": "k", "z_log": True, "rows": "mode", "of": "frequency"}


def _switch(settings: Mapping[str, Any], expect: Literal["reproduced", "not reproduced", "not comparable"], note: str):
    """An arm that changes the loss of one network, of whichever equation the preset has."""
    return Arm(settings, expect, note, {name: timed for name, (timed, _) in _TIMED.items()}, whole=True)


class LossJump(AlsoMeasure):
    title = "Loss jump"
    theme = "Frequency"
    claim = "Switching from the data to the equation's residual makes the error leap at low frequencies."
    paper = "Wang, Zhang, Zhang, Xu (2024), arXiv 2405.03095"
    about = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    Config = LossJumpConfig
    readings = (
        Series("train_loss", "Loss in force", "L"),
        Series("relative_error", "Error", "e", statistic="‖u - u*‖/‖u*‖ on the fine grid"),
        Series("data_loss", "Data loss", "L_data", statistic="mean of (u - u*)²"),
        Series("model_loss", "Model loss", "L_model", statistic="mean squared residual and β times the boundary"),
        Series("stage", "Stage", statistic="0 before the switch, 1 after"),
        Series("mode_error", "Error at each frequency", "|E_k|", statistic="over the largest amplitude"),
        Series("second_error", "Error of the second network", "e₂"),
        Series("curved_error", "Error less its straight line, at each frequency", "|E_k|", statistic=LESS),
        Series("second_curved_error", "Second network's error, at each frequency", "|E_k|", statistic=LESS),
        Series("after_switch", "Steps after the switch"),
        Series("error_ratio", "Error over that before the switch", "e/e₀"),
        Series("solution", "Network", "u"),
        Series("solution_before", "Before the switch", "before"),
        Series("mode_before", "Before the switch", "before"),
        Series("gradient_share", "Boundary's share of the gradient", statistic="of squared norms, at the switch"),
    )
    also_note = "These read the loss in force; where two networks train, that of the first."
    views = (
        Curves(
            ("relative_error", "data_loss", "model_loss", "second_error"),
            title="Error and losses",
            help="The error leaps at the switch while the model loss falls.",
            y_label="e, L",
            y_log=True,
        ),
        Trace(
            "after_switch",
            "error_ratio",
            title="After the switch",
            help=f"The first {CLOSE} steps: the error over what it was.",
            x_label="steps after the switch",
            y_label="e/e₀",
            when=switching,
        ),
        Heatmap(
            "mode_error",
            title="Error at each frequency",
            help="Data loss: low frequencies are learnt first. After the switch the low ones come back.",
            z_label="|E_k|",
            when=switching,
            **_MODE_AXES,
        ),
        Heatmap(
            "curved_error",
            title="Frequencies learnt from data",
            help="First network: low frequencies first. Of the error less the straight line through its ends.",
            z_label="|E_k|",
            when=from_scratch,
            **_MODE_AXES,
        ),
        Heatmap(
            "second_curved_error",
            title="Frequencies learnt from the equation",
            help="Second network: high frequencies first. A straight line is left out, since the residual misses it.",
            z_label="|E_k|",
            when=from_scratch,
            **_MODE_AXES,
        ),
        Profile(
            "x",
            ("exact", "solution", "solution_before"),
            title="Solution",
            help="Equations with time: half way.",
            x_label="x",
            y_label="u(x)",
        ),
        Profile(
            "mode",
            ("mode_error", "mode_before"),
            points=("mode_before",),
            title="Error by frequency",
            of="frequency",
            x_label="k",
            y_label="|E_k|",
            y_log=True,
            when=switching,
        ),
        Table(
            (
                TableRow("error over that before the switch", "error_ratio"),
                TableRow("error at k = 1", "mode_error", 0),
                TableRow("error at k = 4", "mode_error", 3),
                TableRow("boundary's share of the gradient", "gradient_share"),
            ),
            title="Numbers",
            when=switching,
        ),
        Curves(("train_loss",), title="Loss in force", y_label="L", y_log=True, primary=False),
    )
    presets = {
        "demo": Preset({}, "Poisson's equation on a line: our own, it shows the mechanism. 8000 steps on data first."),
        "scratch": Preset(_SCRATCH, "Two networks from one start, a loss for each: who learns which frequency first."),
        **{name: Preset(settings, note) for name, (settings, note) in _TIMED.items()},
    }
    arms = {
        "model": _switch({"second": "model"}, "reproduced", "From the data to the equation."),
        "data": _switch({"second": "data"}, "not reproduced", "From the data to the data."),
        "derivative": _switch({"second": "derivative"}, "not reproduced", "To the first derivative alone."),
        "raised-rate": _switch(
            {"second": "data", "lr_after": 1e-3, "moments": "reset"},
            "not comparable",
            "The same loss with another rate and fresh moments: the error jumps, too, for another reason.",
        ),
        "frequency-order": Arm(
            {**_SCRATCH, "second": "model"}, "reproduced", "Data: low first. Model: high first.", whole=True
        ),
        "same-loss": Arm(
            {**_SCRATCH, "second": "data"}, "not reproduced", "Both networks on data: both low first.", whole=True
        ),
    }
    detectors = (LossSwitch("stage"), Spike("relative_error", factor=5.0))
    small = {"width": 20, "points": 65}
    state = ("networks", "optimizers", "loss_now", "loss_old", "switched_at", "rate", "before")

    def setup(self) -> None:
        from lab.data.pde import Problem
        from lab.models.mlp import MLP, draw_uniform

        config, init = self.config, self.generator("init")
        self.problem = Problem(config.equation, config.waves(), config.viscosity, config.speed)
        fine = self.problem.fine()
        self.times, self.fine = len(fine), fine.flatten(0, 1).to(self.device)
        self.inside = self.problem.inside(config.points, self.generator("data")).to(self.device)
        self.edge, self.at_rest = (part.to(self.device) for part in (self.problem.edge(), self.problem.at_rest()))
        self.exact, self.exact_edge, self.exact_fine = map(self.problem.solution, (self.inside, self.edge, self.fine))
        self.exact_slope = self.problem.slope(self.inside)
        widths = (self.fine.shape[1], *[config.width] * config.depth, 1)
        self.networks: Any = torch.nn.ModuleDict()
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        for name in ("first",) if switching(config) else ("first", "second"):
            drawn = torch.Generator()
            drawn.set_state(init.get_state())
            network = MLP(widths, config.activation, dtype=torch.float64)
            draw_uniform(network.layers, drawn)
            self.networks[name] = network.to(self.device)
            self.optimizers[name] = self._fresh(network)
        self.loss_now, self.loss_old = config.first, config.first
        self.switched_at, self.rate = -1, config.lr
        self.before: dict[str, Any] = {}
        self.update = self.as_graph(self._update)

    def _fresh(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        from lab.models.captured import optimizer_for

        if self.config.optimizer == "adam":
            return optimizer_for(self.device, torch.optim.Adam, network.parameters(), self.config.lr, fused=True)
        return optimizer_for(self.device, torch.optim.SGD, network.parameters(), self.config.lr)

    def step(self) -> Mapping[str, Any]:
        from lab.models.captured import set_rate

        config = self.config
        if switching(config) and self.now == config.switch_step and self.switched_at < 0:
            self.switch_loss()
        readings = self._look() if self._looks() else {}
        rate = self._rate()
        for optimizer in self.optimizers.values():
            set_rate(optimizer, rate)
        return {"train_loss": self.update(), **readings}

    def _update(self) -> torch.Tensor:
        config = self.config
        losses = {"first": self._mixed() if switching(config) else self._loss(config.first, "first")}
        if not switching(config):
            losses["second"] = self._loss(config.second, "second")
        for name, loss in losses.items():
            optimizer = self.optimizers[name]
            drop_gradients(optimizer)
            loss.backward()
            optimizer.step()
        return losses["first"].detach()

    def objective(self) -> tuple[landscape.Loss, Params]:
        """The loss in force, the equation's residual included, over all points."""
        from lab.measures.directions import trainable
        from lab.measures.landscape import ClosureLoss

        network = self.networks["first"]
        closure = self._mixed if switching(self.config) else lambda: self._loss(self.config.first, "first")
        return ClosureLoss(network, closure), trainable(network)

    def _rate(self) -> float:
        """A cosine to the rate at the switch; afterwards constant."""
        config = self.config
        if self.switched_at >= 0:
            return config.lr_after or self.rate
        share = min(self.now / max(config.switch_step if switching(config) else config.steps, 1), 1.0)
        self.rate = config.lr_end + (config.lr - config.lr_end) * (1 + math.cos(math.pi * share)) / 2
        return self.rate

    def _mixed(self) -> torch.Tensor:
        """The loss in force, and after a switch what is left of the old one."""
        stays = self.config.blend if self.switched_at >= 0 else 0.0
        loss = self._loss(self.loss_now, "first")
        return loss if not stays else (1 - stays) * loss + stays * self._loss(self.loss_old, "first")

    def _loss(self, kind: str, name: str) -> torch.Tensor:
        if kind == "data":
            return (self.networks[name](self.inside)[:, 0] - self.exact).square().mean()
        inner, boundary = self._terms(kind, name)
        return inner + self.config.beta * boundary

    def _terms(self, kind: str, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean square of slope or residual inside, and of u on the edge; where a wave starts, of ∂u/∂t too."""
        from lab.models.jets import jet

        network = self.networks[name]
        boundary = (network(self.edge)[:, 0] - self.exact_edge).square().mean()
        if kind == "derivative":
            _, ((slope,),) = jet(network, self.inside, (1,))
            return (slope - self.exact_slope).square().mean(), boundary
        if len(self.at_rest):
            _, (_, (speed,)) = jet(network, self.at_rest, (0, 1))
            boundary = boundary + speed.square().mean()
        residual = self.problem.residual(self.inside, *jet(network, self.inside, self.problem.orders))
        return residual.square().mean(), boundary

    @action("Switch the loss now", help="To the second loss; pressed again, back to the first.")
    def switch_loss(self) -> None:
        config = self.config
        if not switching(config):
            raise ConfigError({"switch_loss": "the two networks of this scene keep their losses"})
        error, modes, solution, _ = self._errors("first")
        self.before = {
            "error": min([error, *self.before.get("recent", [])]),
            "modes": modes,
            "solution": solution,
            "share": self._gradient_share(),
        }
        self.loss_old, self.loss_now = self.loss_now, config.second if self.loss_now == config.first else config.first
        if config.second == config.first:
            self.loss_now = config.first
        if config.moments == "reset":
            self.optimizers["first"] = self._fresh(self.networks["first"])
        self.switched_at = self.now
        self.update.forget()  # the loss before is what was recorded

    def _gradient_share(self) -> float:
        """Squared gradient norm of the boundary term over that of both terms of the model loss, at this moment."""
        terms = self._terms("model", "first")
        weights = list(self.networks["first"].parameters())
        gradients = (torch.autograd.grad(term, weights, materialize_grads=True) for term in terms)
        inner, boundary = (sum(float(g.square().sum()) for g in gradient) for gradient in gradients)
        boundary *= self.config.beta**2
        return boundary / max(inner + boundary, 1e-300)

    def _looks(self) -> bool:
        close = 0 <= self.now - self.switched_at <= CLOSE and self.switched_at >= 0
        return close or self.now % self.config.record_every == 0

    def _errors(self, name: str) -> tuple[float, torch.Tensor, torch.Tensor, torch.Tensor]:
        """On the fine grid: relative error, |E_k| over the largest amplitude, and the solution half way; then |E_k| of
        the error less the straight line through its ends.

        A straight line has sine coefficients at every k, falling as 1/k, and no residual: where it is large it hides
        what the residual has learnt of each frequency.
        """
        from lab.measures.frequency import sine_coefficients

        with torch.no_grad():
            u = self.networks[name](self.fine)[:, 0]
        wrong = u - self.exact_fine
        half, largest = self.times // 2, max(abs(a) for _, a in self.config.waves())
        row = wrong.view(self.times, -1)[half]
        line = torch.lerp(row[0], row[-1], torch.linspace(0, 1, len(row), dtype=row.dtype, device=row.device))
        whole, curved = (sine_coefficients(part, MODES).abs() / largest for part in (row, row - line))
        return float(wrong.norm() / self.exact_fine.norm()), whole, u.view(self.times, -1)[half], curved

    def _look(self) -> dict[str, Any]:
        """The readings that are not taken at every step: nothing here changes the training."""
        error, modes, solution, curved = self._errors("first")
        with torch.no_grad():
            data = self._loss("data", "first")
            model = self._loss("model", "first")
        readings: dict[str, Any] = {
            "relative_error": error,
            "data_loss": data,
            "model_loss": model,
            "stage": float(self.switched_at >= 0),
            "mode_error": modes,
        }
        after = self.now - self.switched_at
        if self.switched_at < 0:
            recent = [*self.before.get("recent", []), error]
            self.before = {"recent": recent[-max(1, CLOSE // self.config.record_every) :]}
        elif after <= CLOSE:
            readings |= {"after_switch": float(after), "error_ratio": error / self.before["error"]}
        if self.now % 200 == 0 or (self.switched_at >= 0 and after <= CLOSE):
            readings["solution"] = solution
        if self.switched_at == self.now:
            readings |= {"solution_before": self.before["solution"], "mode_before": self.before["modes"]}
            readings["gradient_share"] = self.before["share"]
        if "second" in self.networks:
            readings["curved_error"] = curved
            readings["second_error"], _, _, readings["second_curved_error"] = self._errors("second")
        return readings

    @instrument(
        every="steps",
        exact=True,
        series=(
            Series("x", "Place", "x"),
            Series("exact", "Exact", "u*"),
            Series("mode", "Frequency", "k"),
        ),
    )
    def frame(self) -> tuple[Any, ...] | None:
        if self.now:
            return None
        half = self.times // 2
        rows = (part.view(self.times, -1, *part.shape[1:])[half] for part in (self.fine, self.exact_fine))
        place, exact = rows
        return place[:, 0], exact, np.arange(1, MODES + 1)

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return judge(config, run)


def judge(config: Any, run: Source) -> Verdict:
    """The scene's checks; not comparable where something else than the loss changed, or it changed twice.

    A switch by hand is one like that of the schedule, and comes before it.
    """
    by_hand = [event["step"] for event in run.events() if event["kind"] == "action"]
    steered = first_intervention(run, actions=())
    if steered:
        return Verdict.not_comparable(f"the run was steered at step {steered['step']}")
    if len(by_hand) > 1 or (by_hand and by_hand[0] >= config.switch_step):
        return Verdict.not_comparable(f"the loss was switched again at step {by_hand[-1]}")
    if not switching(config):
        return judge_scratch(config, run).excused(unlike(config, *_setting(config, "scratch")))
    preset = "demo" if config.equation == "poisson" else config.equation
    verdict = judge_switch(config, run, by_hand[0] if by_hand else config.switch_step)
    return verdict.excused(unlike(config, *_setting(config, preset)))


def _setting(config: Any, preset: str) -> tuple[dict[str, Any], dict[str, float]]:
    """Knobs and their values where the thresholds were measured, and those that may be larger than there."""
    base = LossJump.configure(preset)
    of_equation = {"heat": ["viscosity"], "burgers": ["viscosity"], "wave": ["speed"]}.get(config.equation, [])
    same = ("optimizer", "activation", "lr", "lr_end", "beta", *of_equation)
    return {name: getattr(base, name) for name in same}, {n: getattr(base, n) for n in ("width", "depth", "points")}
