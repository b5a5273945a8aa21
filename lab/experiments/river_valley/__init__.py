"""A constant rate travels along the river and bounces between its walls; a decay takes the walls' part off.

Wen et al. (2024), arXiv 2410.05192. Scenes: a valley in two dimensions, next-token tables, schedules side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lab.config import ConfigError
from lab.experiment import Arm, Experiment, Preset, Series, action, instrument
from lab.experiments.river_valley.config import COUNTS, SCHEDULES, RiverValleyConfig, bigram, factors, schedules, valley
from lab.experiments.river_valley.judge import judge
from lab.experiments.river_valley.views import VIEWS
from lab.models.rates import Plan, decayed, plan
from lab.stream import Source
from lab.verdict import Verdict

SLOTS = 4  # decay branches at once
SHOWN = 200  # walkers drawn

VALLEY = {"scene": "valley", "lr": 0.1, "rates": "three", "branch_every": 1000, "steps": 2300, "sigma": 1.0}
BIGRAM = {"scene": "bigram", "lr": 5.0, "rates": "three", "branch_every": 1800, "steps": 3900, "zipf": 1.0}
EVEN = {**BIGRAM, "lr": 20.0, "rates": "one", "branch_every": 3000, "steps": 3300, "zipf": 0.0, "contexts": 40}
FOUR = {"scene": "schedules", "lr": 5.0, "zipf": 1.0, "steps": 4300, "replicates": 4, "compare": "compute"}

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


class RiverValley(Experiment):
    title = "River valley"
    theme = "Landscape and sharpness"
    claim = "A large constant rate travels far along a valley's river; a short decay takes off what its walls add."
    paper = "Wen, Li, Wang, Hall, Liang, Ma (2024), arXiv 2410.05192"
    about = Path(__file__).with_name("about.md").read_text(encoding="utf-8")
    Config = RiverValleyConfig
    readings = READ_AT_END
    views = VIEWS
    presets = {
        "valley": Preset(VALLEY, "Two dimensions, 2000 walkers."),
        "bigram": Preset(BIGRAM, "200 contexts, frequencies 1/rank."),
        "even": Preset(EVEN, "40 contexts, equally frequent: hill and river part cleanly."),
        "schedules": Preset(FOUR, "WSD, WSD-S, cosine and cyclic cosine, 4300 steps each."),
    }
    arms = {
        "valley": Arm(VALLEY, "reproduced", "Noise bounces the walkers between the walls."),
        "valley-no-noise": Arm({**VALLEY, "sigma": 0.0}, "not reproduced", "Nothing to decay."),
        "bigram": Arm({**BIGRAM, "full_batch": False}, "reproduced", "Three rates, two branches."),
        "bigram-full-batch": Arm({**BIGRAM, "full_batch": True}, "not reproduced", "No noise, no hill."),
        "even": Arm({**EVEN, "full_batch": False}, "reproduced", "The decay's drop is that of uncertain contexts."),
        "even-full-batch": Arm({**EVEN, "full_batch": True}, "not reproduced", "Decaying only slows the run."),
        "schedules": Arm(FOUR, "reproduced", "Every step counts."),
        "schedules-by-step": Arm({**FOUR, "compare": "step"}, "not reproduced", "The steps of WSD's copies are free."),
    }
    state = (
        "theta",
        "clock",
        "branch_clocks",
        "branches",
        "origins",
        "before",
        "ages",
        "began",
        "last_origin",
        "last_decayed",
        "ended",
        "trunk",
        "budgets",
    )

    def setup(self) -> None:
        from lab.models.bigram import Bigram
        from lab.models.valley import Valley

        config = self.config
        self.problem: Any  # a Valley or a Bigram
        if valley(config):
            self.problem = Valley(config.gamma, config.bend, config.slope, config.sigma, config.walkers)
        else:
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
        self.plan = plan(config.steps, config.shape, config.least, by_step=config.compare == "step")
        lanes = len(SCHEDULES) if schedules(config) else len(factors(config))
        self.theta = self.problem.start(lanes, self.device)
        self.clock = torch.zeros(lanes, dtype=torch.float64)
        slots = 0 if schedules(config) else SLOTS
        self.branches = self.theta.expand(slots, *self.theta.shape).clone()
        self.origins = self.branches[:, 0].clone()  # of the first lane alone
        self.before = torch.zeros(slots, 2, lanes, dtype=torch.float64)  # hill and river part at each beginning
        self.branch_clocks = self.clock.expand(slots, lanes).clone()
        self.ages = [-1] * slots  # steps of each branch, -1 while its slot is free
        self.began = [0] * slots
        self.last_origin, self.last_decayed, self.ended = self.theta[0].clone(), self.theta.clone(), 0
        self.trunk = self.theta[0].clone()
        self.budgets = torch.zeros(2, 3, dtype=torch.float64)  # as far as reached

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
            for slot, age in enumerate(self.ages):
                if age == config.decay_steps:
                    readings = self._end(slot)
            if config.branch_every and self.now and self.now % config.branch_every == 0 and -1 in self.ages:
                self._begin()
        draw = self.problem.draw(self.generator("order"), self.device)
        rates = self._rates()
        self.problem.step(self.theta, rates.to(self.device), draw)
        self.clock += rates
        for slot, age in enumerate(self.ages):
            if age >= 0:  # the same sample as the main run, so that their comparison is paired
                share = decayed(config.shape, age / config.decay_steps, config.least)
                self.problem.step(self.branches[slot], (rates * share).to(self.device), draw)
                self.branch_clocks[slot] += rates * share
                self.ages[slot] += 1
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
        slot = self.ages.index(-1)
        self.branches[slot], self.origins[slot], self.branch_clocks[slot] = self.theta, self.theta[0], self.clock
        self.before[slot] = torch.stack([part.mean(1) for part in self.problem.parts(self.theta)])
        self.ages[slot], self.began[slot] = 0, self.now

    @action("Start decay branch", help="A copy decays its rate while the run goes on.")
    def start_decay_branch(self) -> None:
        if -1 not in self.ages:
            free = "the schedules branch by themselves" if schedules(self.config) else f"all {SLOTS} are under way"
            raise ConfigError({"start_decay_branch": f"{free}; wait until one has ended"})
        self._begin()

    @action("Continue from decayed", help="WSD-S: the run goes on, at its full rate, from the branch that ended last.")
    def continue_from_decayed(self) -> None:
        if not self.ended:
            raise ConfigError({"continue_from_decayed": "no branch has ended yet"})
        self.theta = self.last_decayed.clone()

    def _end(self, slot: int) -> dict[str, Any]:
        """Free a slot; what its branch came to, at this boundary."""
        problem, branch, origin = self.problem, self.branches[slot], self.origins[slot]
        after, constant = problem.parts(branch), problem.parts(self.theta)
        readings = {
            "decayed_from": float(self.began[slot]),
            "decayed_loss": (after.hill + after.river).mean(1),
            "decayed_spread": (after.hill + after.river).std(1, correction=min(1, after.hill.shape[1] - 1)),
            "decayed_hill": after.hill.mean(1),
            "decayed_river": after.river.mean(1),
            "before_hill": self.before[slot, 0].clone(),
            "before_river": self.before[slot, 1].clone(),
            "constant_hill": constant.hill.mean(1),
            "decayed_clock": self.branch_clocks[slot].clone(),
        }
        if bigram(self.config):
            readings |= self._hill_shares(branch[0], origin)
        if self.ended:
            readings |= self._between(branch[0], origin)
        self.last_origin, self.last_decayed = origin.clone(), branch.clone()
        self.ages[slot], self.ended = -1, self.ended + 1
        return readings

    def _hill_shares(self, branch: torch.Tensor, origin: torch.Tensor) -> dict[str, np.ndarray]:
        """Shares in the Hessian's top eigenspaces at the branch point, means over the replicates of the first lane."""
        from lab.measures.river import mountain_shares

        ways: dict[str, list[np.ndarray]] = {"stable_share": [], "decay_share": []}
        for replicate, here in enumerate(origin):
            mountains = self.problem.mountains(here, COUNTS[-1], replicate)
            for name, way in (
                ("stable_share", here - self.last_origin[replicate]),
                ("decay_share", branch[replicate] - here),
            ):
                ways[name].append(mountain_shares(way.flatten(), mountains, COUNTS))
        return {name: np.mean(values, axis=0) for name, values in ways.items()}

    def _between(self, branch: torch.Tensor, origin: torch.Tensor) -> dict[str, np.ndarray]:
        """The loss on the way from the branch before: from branch point to branch point, and from end to end."""
        from lab.measures.landscape import interpolation

        point = self.problem.point
        found = {}
        for name, one, other in (("stable", self.last_origin, origin), ("decayed", self.last_decayed[0], branch)):
            a, b = point(one[None]), point(other[None])
            where, values = interpolation(
                lambda params: self.problem.loss(params["theta"]), {"theta": a}, a.flatten(), b.flatten()
            )
            found |= {"line": where, f"{name}_line": values}
        return found

    @instrument(
        every="record_every",
        exact=True,
        series=(
            Series("lr", "Learning rate", "η"),
            Series("clock", "Sum of the rates so far", "Ση", statistic="per rate"),
            Series("total_loss", "Loss", "L", statistic="less the irreducible; mean over replicates"),
            Series("hill_loss", "Hill part", statistic="mean over replicates"),
            Series("river_loss", "River part", statistic="mean over replicates"),
            Series("loss_by_rate", "Loss of every rate", "L", statistic="mean over replicates"),
            Series("hill_by_rate", "Hill part of every rate", statistic="mean over replicates"),
            Series("river_by_rate", "River part of every rate", statistic="mean over replicates"),
            Series(
                "branch_loss", "Loss of the branches", "L_branch", statistic="of the rate η; NaN where there is none"
            ),
            Series("branch_hill", "Hill part of the branches", statistic="of the rate η"),
            Series("branch_river", "River part of the branches", statistic="of the rate η"),
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
        for slot, age in enumerate(self.ages):
            if age >= 0:
                parts = self.problem.parts(self.branches[slot][:1])
                branch_hill[slot], branch_river[slot] = (part.mean() for part in parts)
                branch_lr[slot] = config.lr * decayed(config.shape, age / config.decay_steps, config.least)
        main = config.lr, self.clock, hill[0] + river[0], hill[0], river[0], hill + river, hill, river
        return *main, branch_hill + branch_river, branch_hill, branch_river, branch_lr

    @instrument(
        every=20,
        series=(
            Series("walkers_x", "Walkers along the river", "x"),
            Series("walkers_y", "Walkers across", "y"),
            Series("walker", "One walker", "(x, y)"),
        ),
    )
    def positions(self) -> tuple[torch.Tensor, ...] | None:
        if not valley(self.config):
            return None
        shown = self.theta[0, 0, :SHOWN].float()
        return shown[:, 0], shown[:, 1], self.problem.point(self.theta)

    @instrument(
        every=10**9,
        series=(Series("map", "Loss", "L"), Series("map_x", "Along", "x"), Series("map_y", "Across", "y")),
    )
    def landscape(self) -> tuple[torch.Tensor, ...] | None:
        """The valley from above, once: it does not change."""
        config = self.config
        if not valley(config) or self.now:
            return None
        length = max(1.0, 1.1 * config.slope * config.lr * config.steps)
        wide = config.bend + max(1.0, 3 * config.sigma * config.lr)
        x, y = torch.linspace(-0.1, length, 81).double(), torch.linspace(-wide, wide, 61).double()
        return self.problem.loss(torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)), x, y

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
        values = self.problem.eigenpairs(self.problem.point(self.theta))[0][:, 1:]
        ranks = self.problem.frequency[0].argsort(descending=True, stable=True).argsort()
        context, certain = (part[:, None].expand_as(values).flatten() for part in (ranks, self.problem.certain))
        return values.flatten(), context, certain.to(torch.uint8)

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
