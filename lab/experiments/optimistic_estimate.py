"""A nonlinear model fitted from a small start needs as many samples as its model rank at the target.

Zhang et al. (2023, 2025), arXiv 2307.08921. Every cell of the study (row, sample size, trial) is trained at once, as
one batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from pydantic import model_validator

from lab.also import AlsoMeasure
from lab.config import Config, ConfigError, numbers, param
from lab.experiment import Arm, Preset, Series, action, instrument
from lab.measures.rank_points import RANKS
from lab.measures.recovery_checks import RECOVERED, TARGETS, empirical_size, judge, judge_runs
from lab.memory import require_memory
from lab.stream import Source
from lab.verdict import StudyRow, Verdict
from lab.views import Curves, Line, Matrix, Table, TableRow

if TYPE_CHECKING:
    from lab.measures.directions import Params
    from lab.measures.landscape import Loss

SIZES = {"matrix": range(1, 17), "plane": range(1, 5), "linear": range(1, 5)}
SIZES |= {"cnn": (5, 7, 8, 10, 15, 18, 21, 22, 24, 28, 35), "dense": (5, 7, 8, 10, 15, 18, 21, 22, 24, 28, 35)}


class OptimisticEstimateConfig(Config):
    family: Literal["matrix", "plane", "linear", "cnn", "dense"] = param(
        "matrix",
        "Model",
        group="Model",
        help="matrix: A B, 4 x 4. plane: θ0 + θ1 x1 + θ2 θ3 x2. linear: the same with one θ2. cnn, dense: tanh nets.",
    )
    target: str = param("all", "Target", group="Model", help="One target of the model, or all, a row each.")
    width: int = param(
        3, "Hidden width", symbol="m", min=1, max=100, group="Model", help="dense: units. cnn: kernels.", paper=100
    )
    sweep: Literal["targets", "start"] = param(
        "targets",
        "Rows",
        group="Study",
        help="targets: a row each. start: one target, a row for each size of the start.",
    )
    init_std: float = param(
        1e-4,
        "Size of the start",
        symbol="σ₀",
        min=1e-12,
        max=10.0,
        log=True,
        group="Training",
        help="Standard deviation.",
    )
    starts: str = param("1e-4 1e-2 1e-1 1", "Sizes of the start", group="Study", help="Rows where rows are starts.")
    sizes: str = param("", "Sample sizes", symbol="n", group="Study", help="Empty: those of the model.")
    trials: int = param(8, "Trials a cell", min=1, max=100, group="Study", paper=50)
    pattern: Literal["nested", "random"] = param(
        "nested", "Observed entries", group="Study", help="matrix: a cross that grows, or drawn anew for each trial."
    )
    optimizer: Literal["gd", "adam"] = param(
        "gd", "Optimiser", group="Training", help="adam: its rate falls to 1/100 along a cosine."
    )
    lr: float = param(0.01, "Learning rate", symbol="η", min=1e-5, max=1.0, log=True, live=True, group="Training")
    steps: int = param(30_000, "Steps", min=1, max=10_000_000, group="Run")
    record_every: int = param(300, "Record every", unit="steps", min=1, max=100_000, group="Run")

    @model_validator(mode="after")
    def _study_exists(self) -> Self:
        known = TARGETS[self.family]
        if self.target != "all" and self.target not in known:
            raise ValueError(f"{self.family} has no target {self.target!r}; it has {', '.join(known)}")
        sizes, starts = self.sample_sizes(), self.row_starts()
        if self.family == "matrix" and sizes[-1] > 16:
            raise ValueError(f"sizes: a 4 x 4 matrix has 16 entries, not {sizes[-1]}")
        if not starts or min(starts) <= 0:
            raise ValueError("starts: give positive standard deviations, such as 1e-4 1e-2 1")
        return self

    def sample_sizes(self) -> tuple[int, ...]:
        """n of each column, ascending."""
        sizes = numbers("sizes", self.sizes, int) or tuple(SIZES[self.family])
        if sizes[0] < 1:
            raise ValueError(f"sizes: a sample has at least one point, got {sizes[0]}")
        return sizes

    def row_targets(self) -> tuple[str, ...]:
        """The target of each row."""
        known = TARGETS[self.family] if self.target == "all" else (self.target,)
        return known if self.sweep == "targets" else known[:1] * len(self.row_starts())

    def row_starts(self) -> tuple[float, ...]:
        """Sizes of the start to compare, ascending; the one that is judged is always among them."""
        return tuple(sorted({self.init_std, *numbers("starts", self.starts)}))


_START = {"sweep": "start", "target": "M1"}
_MAP: dict[str, Any] = {
    "rows": "row_coordinate",
    "columns": "sample_size",
    "marks": "optimistic_size",
    "x_label": "samples n",
    "of": "row",
}
_MAP |= {"y_label": "row", "z_log": True, "z_range": (1e-8, 1.0)}


def of_matrices(config: Any) -> bool:
    return config.family == "matrix"


class OptimisticEstimate(AlsoMeasure):
    title = "Optimistic sample size"
    theme = "Recovery and rank"
    claim = "From a small start a nonlinear model recovers its target from as few samples as its model rank there."
    paper = "Zhang, Zhang, Zhang, Bai, Luo, Xu (2023, 2025), arXiv 2307.08921"
    about = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    Config = OptimisticEstimateConfig
    readings = (Series("train_loss", "Training loss", "L", statistic="mean over all cells"),)
    also_note = "These read one cell: the first row's first trial at its optimistic sample size."
    views = (
        Matrix(
            "test_error",
            title="Test error",
            help="Bright cells are not recovered. The dashes are the closed form: the edge should sit on them.",
            z_label="relative test error",
            **_MAP,
        ),
        Matrix("train_error", title="Training error", help="Small everywhere.", z_label="training error", **_MAP),
        Curves(
            ("test_error_edge", "train_error_edge"),
            title="Errors at the edge",
            help="First row, at its optimistic size: all trials' median.",
            y_label="relative error",
            y_log=True,
            floor=1e-30,
            lines=(Line("recovered", RECOVERED),),
        ),
        Curves(
            ("singular_values",),
            title="Singular values of the product",
            help="Matrices: from a small start they are learnt one after another. First row at its optimistic size.",
            y_label="σ_i(AB)",
            y_log=True,
            floor=1e-10,
            when=of_matrices,
        ),
        Table(
            tuple(
                TableRow(label, "numerical_rank", i, lambda _, size=size: size) for i, (label, size) in enumerate(RANKS)
            ),
            title="Model ranks",
            help="Closed form beside singular values of the tangent matrix.",
        ),
        Matrix(
            "completable",
            title="Completable",
            when=of_matrices,
            help="Matrices: share of trials whose observed entries see the whole tangent space at the target.",
            z_label="share",
            **{**_MAP, "z_log": False, "z_range": (0.0, 1.0)},
        ),
    )
    presets = {
        "matrix": Preset({}, "4 x 4 matrices of rank 1 to 4, all sample sizes, eight trials each."),
        "start": Preset(_START, "Rank 1, from four sizes of the start."),
        "plane": Preset({"family": "plane", "trials": 20, "lr": 0.1}, "Seven functions of the plane."),
        "cnn": Preset(
            {"family": "cnn", "width": 1, "optimizer": "adam", "steps": 8000, "init_std": 1e-3, "trials": 3},
            "One tanh kernel shared over three positions.",
        ),
        "dense": Preset(
            {"family": "dense", "width": 3, "optimizer": "adam", "steps": 8000, "init_std": 1e-3, "trials": 3},
            "The same function by three free tanh units.",
        ),
    }
    arms = {
        "small-start": Arm({}, "reproduced", "The edge sits on the closed form."),
        "large-start": Arm(
            {"init_std": 1.0}, "not reproduced", "Almost all entries are needed.", {"start": _START}, whole=True
        ),
        "linear": Arm(
            {"family": "linear", "lr": 0.1}, "not reproduced", "Never below 3.", {"plane": {"trials": 20}}, whole=True
        ),
        "full-rank": Arm({"target": "M7"}, "not reproduced", "Rank 4 costs all 16 entries.", whole=True),
    }
    state = ("model", "optimizer", "row_on")

    def setup(self) -> None:
        from lab.models.recovery import MatrixFactors, Plane, TanhNet

        config = self.config
        net = config.family in ("cnn", "dense")
        if net:
            self.family = TanhNet(shared=config.family == "cnn", width=config.width)
        elif config.family == "matrix":
            self.family = MatrixFactors(nested=config.pattern == "nested")
        else:
            self.family = Plane(linear=config.family == "linear")
        dtype = torch.float32 if net else torch.float64
        sizes, targets = config.sample_sizes(), config.row_targets()
        units = 3 * config.width if net else 4
        entries = len(targets) * len(sizes) * config.trials * max(sizes[-1], 1000 if net else 16)
        needed = 4 * entries * units * dtype.itemsize  # an activation, its gradient and what they are made of
        require_memory(needed, "the cells are too large; lower trials, width, sizes or their number")
        x = self.family.inputs(config.trials, sizes[-1], self.generator("data")).to(self.device)
        test_x = self.family.test_inputs(self.generator("data", "test")).to(self.device)
        self.x, self.test_x = x, test_x
        rows = (len(targets), 1, -1, x.shape[1])
        self.y = torch.stack([self.family.value(t, x) for t in targets]).reshape(rows).to(dtype)
        self.test_y = torch.stack([self.family.value(t, test_x) for t in targets])[:, None].to(dtype)
        counts = torch.tensor(sizes, device=self.device)
        seen = torch.arange(x.shape[1], device=self.device) < counts[:, None]
        self.share = (seen / counts[:, None]).to(dtype)[None, :, None]  # (1, S, 1, n): 1/n of the first n samples
        starts = torch.tensor(config.row_starts() if config.sweep == "start" else [config.init_std] * len(targets))
        self.model = self._start(starts.double(), len(sizes), dtype)
        self.row_on = torch.ones(len(targets), dtype=dtype, device=self.device)
        parameters = list(self.model.parameters())
        make = torch.optim.SGD if config.optimizer == "gd" else torch.optim.Adam
        self.optimizer = make(parameters, lr=config.lr)

    def _start(self, starts: torch.Tensor, sizes: int, dtype: torch.dtype) -> torch.nn.ParameterDict:
        """Parameters (R, S, T, ...): a trial begins alike at every sample size, and in proportion in every row."""
        model = torch.nn.ParameterDict()
        for name, shape in self.family.shapes.items():
            one = torch.randn(1, 1, self.config.trials, *shape, generator=self.generator("init"), dtype=torch.float64)
            scale = starts.reshape(-1, *[1] * (one.ndim - 1))
            full = (scale * one).expand(-1, sizes, *one.shape[2:])
            model[name] = torch.nn.Parameter(full.to(dtype).contiguous().to(self.device))
        return model

    def _errors(self) -> torch.Tensor:
        """Mean squared training error of every cell, shape (R, S, T), with its graph."""
        residual = self.family.predict(dict(self.model.items()), self.x) - self.y
        return (residual.square() * self.share).sum(-1)

    def objective(self) -> tuple[Loss, Params]:
        """The training error of one cell: first row, first trial, optimistic sample size."""
        at = self._edge()
        y, share = self.y[:1], self.share[:, at : at + 1]

        def loss(params: dict[str, torch.Tensor]) -> torch.Tensor:
            cell = {name: value[None, None, None] for name, value in params.items()}
            return ((self.family.predict(cell, self.x[:1]) - y[:, :, :1]).square() * share).sum()

        return loss, {name: value[0, at, 0].detach().clone() for name, value in self.model.items()}

    def _edge(self) -> int:
        """Number of the sample size that is the first row's optimistic one."""
        sizes = self.config.sample_sizes()
        place = int(np.searchsorted(sizes, self.family.optimistic_size(self.config.row_targets()[0])))
        return min(place, len(sizes) - 1)

    def step(self) -> Mapping[str, Any]:
        config = self.config
        if config.optimizer == "adam":
            falling = 0.505 + 0.495 * np.cos(np.pi * min(self.now / config.steps, 1.0))
            self.optimizer.param_groups[0]["lr"] = config.lr * falling
        self.optimizer.zero_grad(set_to_none=True)
        errors = self._errors()
        (errors * self.row_on[:, None, None]).sum().backward()
        self.optimizer.step()
        return {"train_loss": errors.detach().mean()}

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        self.optimizer.param_groups[0]["lr"] = self.config.lr

    @action("Stop a row", help="Its cells stay as they are; the other rows train on. Twice: it goes on.")
    def toggle_row(self, row: int = 0) -> None:
        if not 0 <= row < len(self.row_on):
            raise ConfigError({"row": f"there is no row {row}; rows are 0 to {len(self.row_on) - 1}"})
        self.row_on[row] = 1 - self.row_on[row]
        for kept in self.optimizer.state.values():  # Adam would coast on
            for value in kept.values():
                if value.ndim:
                    value[row] = 0

    @instrument(
        every="record_every",
        exact=True,
        series=(
            Series("test_error", "Test error", statistic="median over trials, relative to the target's mean square"),
            Series("train_error", "Training error", statistic="the same, on the observed samples"),
            Series("test_errors", "Test error of every trial"),
            Series("empirical_size", "Samples from which on the target is recovered", "n", statistic="by medians"),
            Series("test_error_edge", "Test error at the optimistic size", statistic="first row, median"),
            Series("train_error_edge", "Training error at the optimistic size", statistic="first row, median"),
            Series("singular_values", "Singular values of the product", "σ_i", statistic="first row, first trial"),
        ),
    )
    def errors(self) -> tuple[Any, ...]:
        with torch.no_grad():
            scale = self.test_y.square().mean(-1)
            theta = dict(self.model.items())
            prediction = self.family.predict(theta, self.test_x)
            test = ((prediction - self.test_y).square().mean(-1) / scale).double().cpu().numpy()
            train = (self._errors() / scale).double().cpu().numpy()
            median, train_median = np.median(test, axis=2), np.median(train, axis=2)
            sizes = self.config.sample_sizes()
            edge = self._edge()
            values = torch.linalg.svdvals((theta["a"] @ theta["b"])[0, edge, 0]) if "b" in theta else None
        empirical = [empirical_size(row, sizes) for row in median]
        return median, train_median, test, np.array(empirical), median[0, edge], train_median[0, edge], values

    @instrument(
        every="steps",
        exact=True,
        series=(
            Series("sample_size", "Sample sizes", "n"),
            Series("row_coordinate", "Rows", statistic="the target's number, or log10 of the start's size"),
            Series("optimistic_size", "Optimistic sample size", "n", statistic="closed form"),
            Series("numerical_rank", "Model rank", "R", estimator="singular values above 1e-9 of the largest"),
            Series("rank_gap", "Gap behind the rank", "σ_r/σ_{r+1}"),
            Series("completable", "Completable trials", statistic="share; matrices"),
        ),
    )
    def closed_forms(self) -> tuple[Any, ...] | None:
        from lab.measures.rank_points import numerical_ranks

        if self.now:
            return None
        config, sizes = self.config, self.config.sample_sizes()
        expected = [self.family.optimistic_size(t) for t in config.row_targets()]
        rows = np.log10(config.row_starts()) if config.sweep == "start" else np.arange(len(expected)).astype(float)
        ranks, gaps = numerical_ranks(self.generator("data", "ranks"))
        return np.array(sizes), rows, np.array(expected), ranks, gaps, self._completable(expected)

    def _completable(self, expected: list[int]) -> np.ndarray | None:
        """Share of trials whose first n entries span the tangent space at the target, shape (R, S)."""
        from lab.measures.model_rank import sample_ranks, tangent_matrix_of

        if self.config.family != "matrix":
            return None
        found: dict[str, np.ndarray] = {}
        for target, size in zip(self.config.row_targets(), expected, strict=True):
            if target not in found:
                teacher = self.family.teacher(target)
                tangent = tangent_matrix_of(lambda a, b: a @ b, teacher["a"], teacher["b"])
                orders = np.unique(self.x.cpu().numpy(), axis=0, return_counts=True)
                seen = [sample_ranks(tangent[torch.from_numpy(order)]) >= size for order in orders[0]]
                found[target] = np.average(seen, axis=0, weights=orders[1])[np.array(self.config.sample_sizes()) - 1]
        return np.stack([found[target] for target in self.config.row_targets()])

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return judge(config, run)

    @classmethod
    def study_verdict(cls, rows: Sequence[StudyRow]) -> Verdict | None:
        return judge_runs(rows)
