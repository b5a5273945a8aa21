"""A constant rate travels along the river and bounces between its walls; a decay takes the walls' part off.

Wen et al. (2024), arXiv 2410.05192. Scenes: a valley in two dimensions, next-token tables, schedules side by side.
"""

from __future__ import annotations

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
from lab.measures.river_checks import COUNTS, factors, schedule_checks, setting, table_checks, valley_checks
from lab.memory import require_memory
from lab.models.rates import Plan, plan
from lab.stream import Source
from lab.verdict import Verdict, unlike
from lab.views import Bars, Curves, Landscape, Profile, Scatter

if TYPE_CHECKING:
    from lab.measures.directions import Params
    from lab.measures.landscape import Loss
    from lab.models.decay_branches import Decayed

SCHEDULES = ("wsd", "wsd_s", "cosine", "cyclic")
LARGEST_SPECTRUM = 1e10  # contexts · tokens³, some five seconds of a core


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
        work = self.contexts * self.tokens**3
        if self.scene == "bigram" and work > LARGEST_SPECTRUM:
            raise ValueError(
                f"contexts · tokens³ = {work:.0e}: each exact spectrum would take minutes; keep it below "
                f"{LARGEST_SPECTRUM:.0e} by fewer tokens or contexts"
            )
        return self


def valley(config: Any) -> bool:
    return config.scene == "valley"


def bigram(config: Any) -> bool:
    return config.scene == "bigram"


def schedules(config: Any) -> bool:
    return config.scene == "schedules"


def branching(config: Any) -> bool:
    return config.scene != "schedules"


def every_rate(config: Any) -> list[str]:
    """The rates that run side by side, by what they are of the run's own."""
    return ["η" if share == 1 else f"{share:g}η" if share > 1 else f"η/{1 / share:g}" for share in factors(config)]


def _with_branches(*series: str, **how: Any) -> Curves:
    """The run and its decay branches; mostly one is under way, and needs no number."""
    return Curves(series, each=lambda _: ["branch", *(f"branch {slot}" for slot in range(2, SLOTS + 1))], **how)


BRANCHES = "Each branch drops below the run that goes on: the walls' part leaves, the progress stays."
LOSS = "total_loss", "branch_loss"
HILL, RIVER = ("hill_loss", "branch_hill"), ("river_loss", "branch_river")

_VIEWS = (
    _with_branches(*LOSS, title="Loss and its decay branches", y_label="L", help=BRANCHES, when=valley),
    _with_branches(
        *LOSS,
        title="Excess loss and its decay branches",
        y_label="L, less the irreducible",
        y_log=True,  # the drops are small beside what a table starts from
        help=BRANCHES,
        when=bigram,
    ),
    _with_branches(
        *HILL, title="Hill part", y_label="L_hill", when=valley, help="What the walls add: a decay takes it off."
    ),
    _with_branches(*RIVER, title="River part", y_label="L_river", when=valley, help="The way along: a decay keeps it."),
    _with_branches(*HILL, title="Hill part of the excess loss", y_label="L_hill", y_log=True, when=bigram),
    _with_branches(*RIVER, title="River part of the excess loss", y_label="L_river", y_log=True, when=bigram),
    _with_branches("lr", "branch_lr", title="Learning rate", y_label="η", when=branching),
    Landscape("map", x="map_x", y="map_y", trajectory="walker", title="Valley", z_log=False, z_label="L", when=valley),
    Curves(("across",), title="Across the river", y_label="y", when=valley, help="One walker bounces between walls."),
    Scatter("walkers_x", "walkers_y", title="Walkers", x_label="x", y_label="y", initial=False, when=valley),
    Scatter(
        "eigenvalue_context",
        "eigenvalue",
        colour="eigenvalue_certain",
        title="Hessian spectrum by context",
        x_label="context, most frequent first",
        y_label="λ",
        y_log=True,
        initial=False,
        when=bigram,
        help="Coloured by certainty: uncertain contexts keep their curvature, certain ones lose it.",
    ),
    Bars(
        "stable_share",
        labels=tuple(f"k = {count}" for count in COUNTS),
        title="Hill share, constant rate",
        y_label="share of |Δθ|²",
        y_range=(0.0, 1.0),
        when=bigram,
    ),
    Bars(
        "decay_share",
        labels=tuple(f"k = {count}" for count in COUNTS),
        title="Hill share, decay",
        y_label="share of |Δθ|²",
        y_range=(0.0, 1.0),
        when=bigram,
    ),
    Scatter(
        "decayed_clock",
        "decayed_loss",
        title="Decayed loss over the clock",
        x_label="Ση",
        y_label="L",
        y_log=True,
        initial=False,
        trails=True,
        when=bigram,
        help="All rates lie nearly on one curve while the river dominates.",
    ),
    Profile(
        "line",
        ("stable_line", "decayed_line"),
        title="Between two checkpoints",
        x_label="position from the earlier to the later",
        y_label="L",
        when=branching,
        primary=False,
    ),
    Curves(("loss_by_rate",), title="Loss of every rate", y_label="L", each=every_rate, when=branching, primary=False),
    Curves(
        tuple(f"loss_{name}" for name in SCHEDULES),
        title="Schedules",
        help="Over steps of compute: those of decayed copies count.",
        x_label="compute",
        y_label="L, less the irreducible",
        y_log=True,
        when=schedules,
    ),
    Curves(
        tuple(f"lr_{name}" for name in SCHEDULES),
        title="Rates of the schedules",
        x_label="compute",
        y_label="η",
        when=schedules,
    ),
    Bars(
        "schedule_loss",
        labels=Plan.names,
        title="Loss after equal compute",
        y_label="L",
        when=schedules,
        help="All steps count, also those of decayed copies, unless the knob says equal step.",
    ),
    Bars("schedule_spread", labels=Plan.names, title="Spread of that loss", y_label="sd", when=schedules),
    Bars("schedule_clock", labels=Plan.names, title="Clock of the schedules", y_label="Ση", when=schedules),
    Bars(
        "budget_loss",
        labels=tuple(f"{name}, {budget}" for name in Plan.names[:2] for budget in ("1st", "2nd", "3rd")),
        title="Loss at each budget",
        y_label="L",
        when=schedules,
    ),
)

SLOTS = 4  # decay branches at once
SHOWN = 200  # walkers drawn

VALLEY = {"scene": "valley", "lr": 0.1, "rates": "three", "branch_every": 1000, "steps": 2300, "sigma": 1.0}
BIGRAM = {"scene": "bigram", "lr": 5.0, "rates": "three", "branch_every": 1800, "steps": 3900, "zipf": 1.0}
EVEN = {**BIGRAM, "lr": 20.0, "rates": "one", "branch_every": 3000, "steps": 3300, "zipf": 0.0, "contexts": 40}
FOUR = {"scene": "schedules", "lr": 5.0, "zipf": 1.0, "steps": 4300, "replicates": 4, "compare": "compute"}
_FULL = {"full_batch": True}

READ_AT_END = (
    Series("decayed_from", "Step at which the ended branch began"),
    Series("decayed_loss", "Loss at the end of a branch", "L", statistic="per rate, mean over replicates"),
    Series("decayed_spread", "Its spread", statistic="standard deviation over replicates"),
    Series("decayed_hill", "Hill part at the end of a branch", statistic="per rate"),
    Series("decayed_river", "River part at the end of a branch", statistic="per rate"),
    Series("before_hill", "Hill part at its beginning", statistic="per rate"),
    Series("before_river", "River part at its beginning", statistic="per rate"),
    Series("constant_hill", "Hill part without a decay", statistic="per rate, at the step where the branch ended"),
    Series("decayed_clock", "Ση at the end of a branch", "Ση", statistic="per rate"),
    Series("stable_share", "Hill share of the way between branch points", statistic="k = 20, 50, 100"),
    Series("decay_share", "Hill share of the way in a branch", statistic="k = 20, 50, 100"),
    Series("line", "Position between two checkpoints"),
    Series("stable_line", "Loss between branch points"),
    Series("decayed_line", "Loss between decayed points"),
)


class RiverValley(AlsoMeasure):
    title = "River valley"
    theme = "Landscape and sharpness"
    claim = "A large constant rate travels far along a valley's river; a short decay takes off what its walls add."
    paper = "Wen, Li, Wang, Hall, Liang, Ma (2024), arXiv 2410.05192"
    about = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    Config = RiverValleyConfig
    readings = READ_AT_END
    also_note = "These read the bigram scene, not the valley."
    views = _VIEWS
    presets = {
        "valley": Preset(VALLEY, "Two dimensions, 2000 walkers."),
        "bigram": Preset(BIGRAM, "200 contexts, frequencies 1/rank."),
        "even": Preset(EVEN, "40 contexts, equally frequent: hill and river part cleanly."),
        "schedules": Preset(FOUR, "WSD, WSD-S, cosine and cyclic cosine, 4300 steps each."),
    }
    arms = {
        "valley": Arm(VALLEY, "reproduced", "Noise bounces the walkers between the walls.", whole=True),
        "valley-no-noise": Arm({**VALLEY, "sigma": 0.0}, "not reproduced", "Nothing to decay.", whole=True),
        "bigram": Arm(BIGRAM, "reproduced", "Three rates, two branches.", whole=True),
        "bigram-full-batch": Arm({**BIGRAM, **_FULL}, "not reproduced", "No noise, no hill.", whole=True),
        "even": Arm(EVEN, "reproduced", "The decay's drop is that of uncertain contexts.", whole=True),
        "even-full-batch": Arm({**EVEN, **_FULL}, "not reproduced", "Decaying only slows the run.", whole=True),
        "schedules": Arm(FOUR, "reproduced", "Every step counts.", whole=True),
        "schedules-by-step": Arm(
            {**FOUR, "compare": "step"}, "not reproduced", "The steps of WSD's copies are free.", whole=True
        ),
    }
    state = ("theta", "clock", "branches", "last_origin", "last_decayed", "ended", "trunk", "budgets")

    def setup(self) -> None:
        from lab.models.bigram import Bigram
        from lab.models.decay_branches import DecayBranches
        from lab.models.valley import Valley

        config = self.config
        self.problem: Any  # a Valley or a Bigram
        if valley(config):
            self.problem = Valley(config.gamma, config.bend, config.slope, config.sigma, config.walkers)
        else:
            entries = config.contexts * config.tokens  # a dozen tables per replicate; the Hessian's blocks, twice
            needed = 8 * entries * (30 * config.replicates + 2 * config.tokens * bigram(config))
            require_memory(needed, "the tables are too large; lower contexts, tokens or replicates")
            self.problem = Bigram(
                self.generator("data"),
                self.device,
                contexts=config.contexts,
                tokens=config.tokens,
                certain=config.certain,
                zipf=config.zipf,
                replicates=config.replicates,
                batch=None if config.full_batch else config.batch,
            )
        if schedules(config):  # a few steps have no room for its budgets
            self.plan = plan(config.steps, config.shape, config.least, by_step=config.compare == "step")
        lanes = len(SCHEDULES) if schedules(config) else len(factors(config))
        self.theta = self.problem.start(lanes, self.device)
        self.clock = torch.zeros(lanes, dtype=torch.float64)
        decay: dict[str, Any] = {"steps": config.decay_steps, "shape": config.shape, "least": config.least}
        slots = 0 if schedules(config) else SLOTS
        self.branches = DecayBranches(slots, self.theta, (2, lanes), **decay)  # notes: hill and river part
        self.last_origin, self.last_decayed, self.ended = self.theta[0].clone(), self.theta.clone(), 0
        self.trunk = self.theta[0].clone()
        self.budgets = torch.zeros(2, 3, dtype=torch.float64)  # as far as reached

    def objective(self) -> tuple[Loss, Params] | None:
        """The population's loss of the first rate, of the first replicate."""
        if valley(self.config):
            return None
        return lambda params: self.problem.loss(params["theta"]), {"theta": self.problem.point(self.theta).clone()}

    def _rates(self) -> torch.Tensor:
        """The rate of every lane in this step, shape (lanes,)."""
        shares = self.plan.shares[self.now] if schedules(self.config) else np.array(factors(self.config))
        return self.config.lr * torch.from_numpy(shares)

    def step(self) -> Mapping[str, Any]:
        config = self.config
        readings: dict[str, Any] = {}
        if schedules(config):
            self._note_budgets()
            self._keep_trunk()
        else:
            for ended in self.branches.finished():
                readings = self._end(ended)
            if config.branch_every and self.now and self.now % config.branch_every == 0 and not self.branches.full:
                self._begin()
        draw = self.problem.draw(self.generator("order"), self.device)
        rates = self._rates()
        self.problem.step(self.theta, rates.to(self.device), draw)
        self.clock += rates
        for slot in self.branches.active:  # the same sample as the main run, so that their comparison is paired
            slower = rates * self.branches.share(slot)
            self.problem.step(self.branches.thetas[slot], slower.to(self.device), draw)
            self.branches.advance(slot, slower)
        return readings

    def _losses(self) -> torch.Tensor:
        """Loss without its irreducible part, shape (lanes, replicates)."""
        hill, river = self.problem.parts(self.theta)
        return hill + river

    def _keep_trunk(self) -> None:
        if self.now in self.plan.load:
            self.theta[0] = self.trunk
        if self.now in self.plan.save:
            self.trunk = self.theta[0].clone()

    def _note_budgets(self) -> None:
        """Put down the loss of WSD and WSD-S where a budget is reached."""
        for row, column in zip(*np.nonzero(self.plan.ends == self.now), strict=True):
            self.budgets[row, column] = self._losses()[row].mean()

    def _begin(self) -> None:
        parts = torch.stack([part.mean(1) for part in self.problem.parts(self.theta)])
        self.branches.begin(self.now, self.theta, self.clock, parts)

    @action("Start decay branch", help="A copy decays its rate while the run goes on.")
    def start_decay_branch(self) -> None:
        if self.branches.full:
            free = "the schedules branch by themselves" if schedules(self.config) else f"all {SLOTS} are under way"
            raise ConfigError({"start_decay_branch": f"{free}; wait until one has ended"})
        self._begin()

    @action("Continue from decayed", help="WSD-S: the run goes on, at its full rate, from the branch that ended last.")
    def continue_from_decayed(self) -> None:
        if not self.ended:
            raise ConfigError({"continue_from_decayed": "no branch has ended yet"})
        self.theta = self.last_decayed.clone()

    def _end(self, ended: Decayed) -> dict[str, Any]:
        """What a branch came to, at this boundary."""
        from lab.measures import decayed

        branch, origin = ended.theta, ended.origin
        readings = decayed.losses(self.problem, ended, self.theta)
        if bigram(self.config):
            readings |= decayed.hill_shares(self.problem, self.last_origin, origin, branch[0], COUNTS)
        if self.ended:
            ways = {"stable": (self.last_origin, origin), "decayed": (self.last_decayed[0], branch[0])}
            readings |= decayed.lines(self.problem, ways)
        self.last_origin, self.last_decayed, self.ended = origin, branch, self.ended + 1
        return readings

    @instrument(
        every="record_every",
        exact=True,
        series=(
            Series("lr", "Learning rate", "η"),
            Series("clock", "Sum of the rates so far", "Ση", statistic="per rate"),
            Series("total_loss", "Loss", "L", statistic="less the irreducible; mean over replicates"),
            Series("hill_loss", "Hill part", "L_hill", statistic="mean over replicates"),
            Series("river_loss", "River part", "L_river", statistic="mean over replicates"),
            Series("loss_by_rate", "Loss of every rate", "L", statistic="mean over replicates"),
            Series("hill_by_rate", "Hill part of every rate", statistic="mean over replicates"),
            Series("river_by_rate", "River part of every rate", statistic="mean over replicates"),
            Series(
                "branch_loss", "Loss of the branches", "L_branch", statistic="of the rate η; NaN where there is none"
            ),
            Series("branch_hill", "Hill part of the branches", "branch", statistic="of the rate η"),
            Series("branch_river", "River part of the branches", "branch", statistic="of the rate η"),
            Series("branch_lr", "Learning rate of the branches", "η_branch"),
        ),
    )
    def losses(self) -> tuple[Any, ...] | None:
        config = self.config
        if schedules(config):
            return None
        hill, river = (part.mean(1) for part in self.problem.parts(self.theta))
        branch_hill, branch_river = torch.full((2, SLOTS), torch.nan, dtype=torch.float64)
        branch_lr = torch.full((SLOTS,), torch.nan, dtype=torch.float64)
        for slot in self.branches.active:
            parts = self.problem.parts(self.branches.thetas[slot][:1])
            branch_hill[slot], branch_river[slot] = (part.mean() for part in parts)
            branch_lr[slot] = config.lr * self.branches.share(slot)
        main = config.lr, self.clock, hill[0] + river[0], hill[0], river[0], hill + river, hill, river
        return *main, branch_hill + branch_river, branch_hill, branch_river, branch_lr

    @instrument(
        every=20,
        series=(
            Series("walkers_x", "Walkers along the river", "x"),
            Series("walkers_y", "Walkers across", "y"),
            Series("walker", "One walker", "(x, y)"),
            Series("across", "The same walker across", "y"),
        ),
    )
    def positions(self) -> tuple[torch.Tensor, ...] | None:
        if not valley(self.config):
            return None
        shown = self.theta[0, 0, :SHOWN].float()
        point = self.problem.point(self.theta)
        return shown[:, 0], shown[:, 1], point, point[1]

    @instrument(
        every=10**9,
        series=(Series("map", "Loss", "L"), Series("map_x", "Along", "x"), Series("map_y", "Across", "y")),
    )
    def landscape(self) -> tuple[torch.Tensor, ...] | None:
        """The valley from above, where the run begins and where it ends: it does not change."""
        config = self.config
        if not valley(config):
            return None
        return self.problem.seen_from_above(1.1 * config.slope * config.lr * config.steps, 3 * config.sigma * config.lr)

    @instrument(
        every=500,
        series=(
            Series(
                "eigenvalue", "Eigenvalues of the Hessian", "λ", estimator="exact; the zero of every context left out"
            ),
            Series("eigenvalue_context", "Context of an eigenvalue", statistic="rank by frequency"),
            Series("eigenvalue_certain", "Certain context", statistic="1 certain, 0 uncertain"),
        ),
    )
    def spectrum(self) -> tuple[torch.Tensor, ...] | None:
        if not bigram(self.config):
            return None
        return self.problem.spectrum(self.problem.point(self.theta))

    @instrument(
        every="record_every",
        exact=True,
        series=(
            *(Series(f"loss_{n}", f"Loss, {t}", t) for n, t in zip(SCHEDULES, Plan.names, strict=True)),
            *(Series(f"lr_{n}", f"Rate, {t}", t) for n, t in zip(SCHEDULES, Plan.names, strict=True)),
            Series("schedule_loss", "Loss of the schedules", "L", statistic="mean over replicates"),
            Series("schedule_spread", "Its spread", statistic="standard deviation over replicates"),
            Series("schedule_clock", "Sum of the rates so far", "Ση"),
            Series("budget_loss", "Loss at each budget of WSD and WSD-S", "L", statistic="NaN before it is reached"),
        ),
    )
    def compared(self) -> tuple[Any, ...] | None:
        if not schedules(self.config):
            return None
        losses = self._losses()
        mean, spread = losses.mean(1), losses.std(1, correction=min(1, losses.shape[1] - 1))
        ends = torch.from_numpy(self.plan.ends)
        budgets = torch.where(ends == self.now, mean[:2, None].cpu(), self.budgets)
        budgets[ends > self.now] = torch.nan
        rates = self.config.lr * self.plan.shares[min(self.now, self.config.steps - 1)]
        return *mean, *rates.tolist(), mean, spread, self.clock, budgets.flatten()

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return judge(config, run)


def judge(config: Any, run: Source) -> Verdict:
    """The checks of the run's scene; a run that was steered is not comparable."""
    needed = "schedule_loss" if schedules(config) else "decayed_loss"
    if needed not in run.names():
        return Verdict.not_comparable("too short: no decay branch has ended")
    scenes = {"valley": valley_checks, "bigram": table_checks, "schedules": schedule_checks}
    checks, reason = scenes[config.scene](config, run)
    steered = first_intervention(run, actions=("continue_from_decayed",))  # a branch by hand leaves the run as it was
    if steered:
        reason = f"the run was steered at step {steered['step']}"
    verdict = Verdict.not_comparable(reason, *checks) if reason else Verdict.of(*checks)
    return verdict.excused(unlike(config, *setting(config)))
