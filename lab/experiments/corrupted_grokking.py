"""Modular addition with corrupted labels: networks memorise them and generalise all the same, with different neurons.

Doshi, Das, He, Gromov (2023), arXiv 2310.13061; sizes, initialisation and optimiser after the authors' published code.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from pydantic import model_validator

from lab.also import AlsoMeasure
from lab.config import Config, numbers, param
from lab.experiment import Arm, Batch, Preset, Series, action, instrument
from lab.measures.corruption_checks import POINTS, is_map, judge, phase_number
from lab.measures.detectors import Jump
from lab.memory import require_memory
from lab.models import stacked_pairs
from lab.panels import corrupted_grokking as panels
from lab.panels.corrupted_grokking import BINS, GROUPS, ORDERS
from lab.stream import Source
from lab.verdict import Verdict

if TYPE_CHECKING:
    from lab.measures.directions import Params
    from lab.measures.landscape import Loss

DEAD = 1e-3  # of the largest norm: neurons below it have no IPR

Claim = Literal["coexistence", "partial inversion", "full inversion", "forgetting", "scale of neurons", "map"]


class CorruptedGrokkingConfig(Config):
    claim: Claim = param(
        "coexistence",
        "Claim to judge",
        group="Claim",
        help="scale of neurons: BatchNorm scales memorising neurons down. map: several networks in one run.",
    )
    p: int = param(97, "Modulus", symbol="p", min=5, max=113, group="Data")
    operation: Literal["add", "multiply"] = param("add", "Operation", group="Data", help="multiply: p must be prime.")
    alpha: float = param(
        0.5,
        "Training share",
        symbol="α",
        min=0.1,
        max=0.95,
        group="Data",
        help="Of all p² pairs; the rest tests.",
    )
    xi: float = param(
        0.35,
        "Corrupted share",
        symbol="ξ",
        min=0.0,
        max=0.9,
        group="Data",
        help="Of the training labels, drawn anew from all p classes; one in p is the true label by chance.",
    )
    label_seed: int = param(0, "Label seed", min=0, max=2**31 - 1, group="Data", help="Draws the corrupted labels.")
    width: int = param(500, "Hidden width", symbol="N", min=50, max=2000, group="Network")
    batch_norm: bool = param(False, "BatchNorm", group="Network", help="After the square, before the output layer.")
    dropout: float = param(
        0.0, "Dropout", min=0.0, max=0.9, live=True, group="Regularisers", help="Of pre-activations, before the square."
    )
    weight_decay: float = param(
        0.0, "Weight decay", symbol="λ", min=0.0, max=50.0, live=True, group="Regularisers", help="Of AdamW."
    )
    lr: float = param(1e-2, "Learning rate", symbol="η", min=1e-4, max=0.1, log=True, live=True, group="Training")
    batch: int = param(
        0, "Batch", min=0, max=12_769, group="Training", help="0: all pairs at once. Small batches regularise, too."
    )
    freeze: bool = param(
        False,
        "Freeze the weights",
        live=True,
        group="Look",
        help="Steps go by and nothing trains, so that you can prune at leisure.",
    )
    prune: float = param(
        0.0,
        "Prune",
        min=0.0,
        max=1.0,
        live=True,
        group="Look",
        help="Takes neurons out of what you look at. Training goes on whole, and 0 gives all of them back.",
    )
    prune_by: Literal["lowest IPR", "highest IPR", "random", "IPR below"] = param(
        "lowest IPR",
        "Prune by",
        live=True,
        group="Look",
        help="The share of neurons that goes first in this order; or all neurons with an IPR below the number.",
    )
    map_rows: Literal["weight decay", "training share"] = param("weight decay", "Rows", group="Map")
    row_values: str = param("0 5 15 30", "Values of the rows", group="Map")
    xi_values: str = param("0 0.1 0.2 0.35 0.5", "Corrupted shares", symbol="ξ", group="Map", help="The columns.")
    steps: int = param(600, "Steps", min=1, max=1_000_000_000, group="Run")
    record_every: int = param(10, "Record every", unit="steps", min=1, max=100_000, group="Run")
    prune_every: int = param(
        200, "Pruning curves every", unit="steps", min=1, max=100_000, group="Run", help="Some forward passes each."
    )

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        if self.operation == "multiply" and any(self.p % d == 0 for d in range(2, self.p)):
            raise ValueError(f"p = {self.p} is no prime, and multiplication needs one")
        rows, columns = self.grid()
        if self.claim == "map":
            if self.batch or self.batch_norm or self.dropout:
                raise ValueError("the map trains without batch, batch_norm and dropout: set them to 0 and off")
            low, high = (0.0, 50.0) if self.map_rows == "weight decay" else (0.1, 0.95)
            inside = rows and columns and low <= rows[0] and rows[-1] <= high and columns[0] >= 0 and columns[-1] <= 0.9
            if not inside:
                raise ValueError(f"row_values lie in {low:g} to {high:g}, xi_values in 0 to 0.9")
        size = min(cell[0] for cell in self.cells())
        if self.batch > size:
            raise ValueError(f"a batch of {self.batch} is more than the {size} training pairs: lower it")
        if self.batch_norm and self.batch == 1:
            raise ValueError("BatchNorm has nothing to average over in a batch of 1; take 2 or more, or 0 for all")
        return self

    def grid(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Rows and columns of the map, ascending."""
        return numbers("row_values", self.row_values), numbers("xi_values", self.xi_values)

    def cells(self) -> list[tuple[int, int, float]]:
        """Training pairs, corrupted ones among them and weight decay of each network; one network without a map."""
        settings = [(self.alpha, self.xi, self.weight_decay)]
        if self.claim == "map":
            by_decay = self.map_rows == "weight decay"
            pairs = [(row, xi) for row in self.grid()[0] for xi in self.grid()[1]]
            settings = [(self.alpha, xi, row) if by_decay else (row, xi, self.weight_decay) for row, xi in pairs]
        sizes = [(math.floor(alpha * self.p**2), xi, decay) for alpha, xi, decay in settings]
        return [(size, math.floor(xi * size), decay) for size, xi, decay in sizes]


_MAP = {"claim": "map", "p": 43, "width": 250, "alpha": 0.6, "steps": 600, "record_every": 50}
_BN = {"batch_norm": True, "alpha": 0.65, "xi": 0.2, "batch": 64, "lr": 5e-3, "steps": 1500, "prune_every": 500}


class CorruptedGrokking(AlsoMeasure):
    title = "Grokking with corrupted labels"
    theme = "Arithmetic and grokking"
    claim = "Memorising and generalising neurons live side by side; pruning by IPR or regularising removes the former."
    paper = "Doshi, Das, He, Gromov (2023), arXiv 2310.13061"
    about = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    Config = CorruptedGrokkingConfig
    readings = (Series("train_loss", "Training loss", "L", "MSE", statistic="map: mean over networks"),)
    views, study_views = panels.VIEWS, panels.STUDY_VIEWS
    also_note = "These read the one network of all scenes but the map, which has many."
    presets = {
        "demo": Preset({}, "The paper's full size, p = 97 and N = 500, for 600 steps."),
        "map": Preset(_MAP, "Twenty small networks at once: weight decay against the corrupted share."),
    }
    arms = {
        "coexistence": Arm({"claim": "coexistence"}, "reproduced", "No regulariser; pruning repairs.", whole=True),
        "partial-inversion": Arm(
            {"claim": "partial inversion", "weight_decay": 5.0, "steps": 500},
            "reproduced",
            "Weight decay 5.",
            whole=True,
        ),
        "full-inversion": Arm(
            {"claim": "full inversion", "weight_decay": 15.0, "steps": 500},
            "reproduced",
            "Weight decay 15.",
            whole=True,
        ),
        "dropout": Arm(
            {"claim": "partial inversion", "dropout": 0.35}, "reproduced", "Dropout 0.35, no weight decay.", whole=True
        ),
        "multiplication": Arm(
            {"claim": "coexistence", "operation": "multiply"},
            "reproduced",
            "Products instead of sums, no regulariser.",
            whole=True,
        ),
        "batch-norm": Arm(
            {"claim": "scale of neurons", **_BN}, "reproduced", "Batches of 64, no weight decay.", whole=True
        ),
        "forgetting": Arm(
            {"claim": "forgetting", "weight_decay": 20.0, "steps": 1500, "prune_every": 500},
            "reproduced",
            "Weight decay 20: all is learnt, and lost again.",
            whole=True,
        ),
        "few-data": Arm(
            {"claim": "coexistence", "alpha": 0.2}, "not reproduced", "Too few pairs: memorisation alone.", whole=True
        ),
        "clean": Arm(
            {"claim": "full inversion", "xi": 0.0, "weight_decay": 5.0, "steps": 300},
            "not reproduced",
            "Nothing corrupted: training accuracy does not fall.",
            whole=True,
        ),
        "map": Arm(
            _MAP, "reproduced", "Memorisation, coexistence and full inversion as weight decay grows.", whole=True
        ),
    }
    detectors = (
        Jump("test_accuracy", size=0.2, window=50),
        Jump("train_accuracy", size=0.1, window=50, direction="down"),
    )
    state = ("model", "optimizer", "batches", "given", "best")
    small = {"p": 23, "width": 60}

    def setup(self) -> None:
        from lab.data.batches import EpochBatches
        from lab.data.modular import corrupted_alike, residue_pairs
        from lab.models.captured import optimizer_for
        from lab.models.pair_network import PairNetworks

        config, cells = self.config, self.config.cells()
        needed = len(cells) * 3 * config.p * config.width * 4 * 4  # weights, their gradients and two moments
        require_memory(needed, f"{len(cells)} networks are too many; lower N or the values of the map")
        pairs, labels = residue_pairs(config.p, config.operation)
        order = torch.randperm(len(pairs), generator=self.generator("data"))
        self.pairs, self.labels = pairs[order].to(self.device), labels[order].to(self.device)
        most = max(size for size, _, _ in cells)
        draws = self.generator("data", f"labels {config.label_seed}")
        counts = [count for _, count, _ in cells]
        self.given = corrupted_alike(labels[order][:most], counts, config.p, draws).to(self.device)
        self.inside = (torch.arange(most) < torch.tensor([size for size, _, _ in cells])[:, None]).to(self.device)
        self.model = PairNetworks(
            config.p, config.width, len(cells), batch_norm=config.batch_norm, generator=self.generator("init")
        ).to(self.device)
        options: dict[str, Any] = {"betas": (0.9, 0.98), "fused": True}
        parameters = self.model.parameters()
        self.optimizer = optimizer_for(self.device, torch.optim.AdamW, parameters, config.lr, **options)
        self.batches = EpochBatches(most, config.batch or most, self.generator("order"))
        self.best = np.zeros((2, len(cells)))  # training and test accuracy so far, for the phases that look back
        self._retune()
        self.update = self.as_graph(self._update)

    def _retune(self) -> None:
        from lab.models.captured import set_rate

        decays = [decay for _, _, decay in self.config.cells()]
        self.decay = 1 - self.config.lr * torch.tensor(decays, device=self.device)
        set_rate(self.optimizer, self.config.lr)
        for group in self.optimizer.param_groups:
            group["weight_decay"] = 0.0 if is_map(self.config) else self.config.weight_decay

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        self._retune()

    def step(self) -> Mapping[str, Any]:
        config = self.config
        rows = self.batches.take() if config.batch else None
        kept = None
        if config.dropout and not config.freeze:
            size = len(rows) if rows is not None else self.given.shape[1]
            drawn = torch.rand(size, config.width, generator=self.generator("order", "dropout"))
            kept = (drawn >= config.dropout).float() / (1 - config.dropout)
        return {"train_loss": self.update(rows, kept)}

    def _update(self, rows: torch.Tensor | None, kept: torch.Tensor | None) -> torch.Tensor:
        """The mean loss before it. ``kept`` as in ``PairNetworks.hidden``."""
        chosen = slice(None) if rows is None else rows
        pairs, labels, share = self.pairs[: self.given.shape[1]][chosen], self.given[:, chosen], self.inside[:, chosen]
        share = share / share.sum(1, keepdim=True)
        if self.config.freeze:
            self.model.eval()
            with torch.no_grad():
                return self.model.losses(pairs, labels, share).mean()
        losses = self.model.fit(pairs, labels, share, kept)
        if is_map(self.config):
            self.model.decay(self.decay)
        self.optimizer.step()
        return losses.mean()

    def objective(self) -> tuple[Loss, Params] | None:
        """The loss of the one network, normalised over the samples looked at; none for the many of a map."""
        if is_map(self.config):
            return None
        self.model.train()
        targets = torch.nn.functional.one_hot(self.given[0], self.config.p).float()

        def criterion(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.mse_loss(output[0], target)

        return self.loss_of(self.model, criterion, self.pairs[: self.given.shape[1]], targets)

    @action("Draw the corrupted labels anew", help="The same pairs stay corrupted, with other labels.")
    def redraw_labels(self) -> None:
        from lab.data.modular import corrupted

        for row, (_, count, _) in enumerate(self.config.cells()):
            drawn = corrupted(self.given[row].cpu(), count, self.config.p, self.generator("data", "new labels"))
            self.given[row] = drawn.to(self.device)

    def _groups(self, net: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Rows of the shuffled pairs and the labels asked of them, in the order of GROUPS."""
        from lab.data.modular import label_groups

        size, count, _ = self.config.cells()[net]
        groups = label_groups(size, count, self.given[net], self.labels)
        return [groups[name] for name in GROUPS]

    def _ipr(self) -> torch.Tensor:
        """Mean IPR of U, V and W of each neuron, shape (N,); NaN for one that decayed in any of them."""
        from lab.measures.ipr import discrete_log_order, neuron_ipr

        order = discrete_log_order(self.config.p) if self.config.operation == "multiply" else None
        return neuron_ipr([weight[0].detach() for weight in self.model.neurons()], order=order, floor=DEAD)

    def _kept(self) -> torch.Tensor:
        """Which neurons the knob Prune leaves, shape (N,), bool."""
        from lab.measures.pruning import kept_units

        config = self.config
        if not config.prune:
            return torch.ones(config.width, dtype=torch.bool, device=self.device)
        return kept_units(
            self._ipr(), config.prune, config.prune_by.removesuffix(" IPR").removeprefix("IPR "), seed=config.seed
        )

    @instrument(
        every="record_every",
        exact=True,
        series=(
            *(Series(f"{group}_accuracy", label) for group, label in GROUPS.items()),
            Series("pruned_accuracies", "Accuracies of the pruned network", statistic=", ".join(GROUPS.values())),
            Series("phase", "Phase"),
            Series("phase_map", "Phase of each network"),
            Series("map_test", "Test accuracy of each network"),
            Series("map_given", "Corrupted labels of each network", statistic="accuracy on labels as given"),
        ),
    )
    def accuracies(self) -> tuple[Any, ...]:
        from lab.measures.pruning import group_accuracies

        predicted = self.model.predict(self.pairs)
        found = np.array([group_accuracies(row, self._groups(net)) for net, row in enumerate(predicted)])
        train, _, given, _, test = found.T
        self.best = np.maximum(self.best, (train, test))
        history = np.stack([train, given, test, *self.best], 1).tolist()
        phases = np.array([phase_number(*now, classes=self.config.p) for now in history])
        if is_map(self.config):
            shape = tuple(len(axis) for axis in self.config.grid())
            return *[None] * 7, *(part.reshape(shape) for part in (phases, test, given))
        kept = self._kept()
        if not kept.all():
            predicted = self.model.predict(self.pairs, kept)
        return *found[0], group_accuracies(predicted[0], self._groups(0)), phases[0], None, None, None

    @instrument(
        every="record_every",
        series=(
            Series("ipr", "IPR", "IPR", statistic="mean over U, V and W of each neuron"),
            Series("mean_ipr", "Mean IPR", statistic="over neurons that did not decay"),
            Series("neuron_norm", "Size of the neuron", "‖U_k‖ ‖V_k‖ ‖W_k‖"),
            Series("neuron_scale", "BatchNorm scale", "|γ_k|"),
            Series("kept", "Kept", statistic="1 where the knob Prune leaves the neuron"),
            Series("ipr_histogram", "Neurons by IPR"),
            Series("ipr_bins", "Middle of each bin", "IPR"),
            Series("weight_norms", "Norms of U, V and W"),
        ),
    )
    def neurons(self) -> tuple[Any, ...] | None:
        if is_map(self.config):
            return None
        ipr, parts = self._ipr(), [weight[0].detach() for weight in self.model.neurons()]
        size = torch.stack([torch.linalg.vector_norm(part, dim=1) for part in parts]).prod(0)
        counts, edges = np.histogram(ipr[~ipr.isnan()].cpu(), BINS, (0.0, 1.0))
        scale = None if self.model.norm is None else self.model.norm.weight.detach().abs()
        norms = torch.stack([torch.linalg.vector_norm(part) for part in parts])
        return (
            ipr.float(),
            torch.nanmean(ipr),
            size,
            scale,
            self._kept().float(),
            counts,
            (edges[1:] + edges[:-1]) / 2,
            norms,
        )

    @instrument(
        every="prune_every",
        series=(
            Series("pruned_share", "Share of neurons pruned"),
            *(
                Series(f"{order}_{group}_accuracy", label + way, statistic=f"pruned by IPR, {order}")
                for order, way in ORDERS.items()
                for group, label in GROUPS.items()
            ),
        ),
    )
    def pruning(self) -> tuple[Any, ...] | None:
        from lab.measures.pruning import prune_order, pruning_curve

        if is_map(self.config):
            return None
        counts = [round(self.config.width * share) for share in np.linspace(0, 1, POINTS)]
        self.model.eval()
        with torch.no_grad():
            hidden = self.model.hidden(self.pairs)[0]
        readout, groups, ipr = self.model.W.detach()[0], self._groups(0), self._ipr()
        orders = [prune_order(ipr, first, seed=self.config.seed) for first in ORDERS]
        curves = [pruning_curve(hidden, readout, order, counts, groups).T for order in orders]
        return np.array(counts) / self.config.width, *torch.cat(curves)

    @classmethod
    def batch_key(cls, config: Any) -> Hashable | None:
        return stacked_pairs.key(config)

    @classmethod
    def batch(cls, members: Sequence[Any]) -> Batch:
        return stacked_pairs.Pairs(members)

    @instrument(
        every="steps",
        exact=True,
        series=(Series("map_rows", "Rows of the map"), Series("map_columns", "Corrupted shares", "ξ")),
    )
    def axes(self) -> tuple[Any, ...] | None:
        return tuple(np.array(axis) for axis in self.config.grid()) if is_map(self.config) and not self.now else None

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return judge(config, run)
