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
from lab.measures import recovery_targets
from lab.measures.rank_points import RANKS
from lab.measures.recovery_checks import RECOVERED, empirical_size, judge, judge_runs
from lab.memory import require_memory
from lab.optimizers import drop_gradients
from lab.stream import Source
from lab.verdict import StudyRow, Verdict
from lab.views import Curves, Line, Matrix, Profile, Table, TableRow

if TYPE_CHECKING:
    from lab.measures.directions import Params
    from lab.measures.landscape import Loss


MOST = 1_000_000  # points of a sample


class OptimisticEstimateConfig(Config):
    family: Literal["matrix", "plane", "linear", "diagonal", "cnn", "unshared", "dense"] = param(
        "matrix",
        "Model",
        group="Model",
        help="matrix: A B. plane: θ0 + θ1 x1 + θ2 θ3 x2. linear: the same with one θ2. diagonal: Σ_j a_j b_j x_j. cnn, "
        "unshared, dense: tanh nets, one kernel for all places, one for each place, free units.",
    )
    target: str = param(
        "all",
        "Target",
        group="Model",
        help="One target of the model, or all, a row each. Of matrices not 4 x 4: rank 2.",
    )
    inputs: int = param(
        0, "Size", symbol="d", min=0, max=64, group="Model", help="d x d matrices, d inputs. 0: the paper's 4 and 5."
    )
    kernel: int = param(
        3, "Kernel size", symbol="s", min=1, max=64, group="Model", help="cnn, unshared, and their target."
    )
    terms: int = param(
        1, "Terms of the target", symbol="k", min=1, max=20, group="Model", help="Nets: kernels. diagonal: inputs used."
    )
    depth: int = param(2, "Factors", symbol="L", min=2, max=6, group="Model", help="diagonal: of each coefficient.")
    width: int = param(
        3, "Hidden width", symbol="m", min=1, max=300, group="Model", help="dense: units. cnn: kernels.", paper=100
    )
    sweep: Literal["targets", "start", "width"] = param(
        "targets",
        "Rows",
        group="Study",
        help="targets: a row each. start, width: one target, a row for each size of the start or hidden width.",
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
    widths: str = param("1 3 10", "Hidden widths", group="Study", help="Rows where rows are widths.")
    sizes: str = param("", "Sample sizes", symbol="n", group="Study", help="Empty: those of the model.")
    trials: int = param(8, "Trials a cell", min=1, max=100, group="Study", paper=50)
    pattern: Literal["nested", "random", "completable"] = param(
        "nested",
        "Observed entries",
        group="Study",
        help="matrix: a growing cross, or drawn for each trial, completable from the closed form on if you like.",
    )
    optimizer: Literal["gd", "adam"] = param(
        "gd", "Optimiser", group="Training", help="adam: its rate falls to 1/100 along a cosine."
    )
    lr: float = param(0.01, "Learning rate", symbol="η", min=1e-5, max=1.0, log=True, live=True, group="Training")
    stop: float = param(
        0.0, "Stop a cell below", min=0.0, max=1.0, group="Training", help="Training error. 0: never.", paper=1e-9
    )
    precision: Literal["of the model", "single", "double"] = param(
        "of the model", "Precision", group="Training", help="Of the model: single for nets, double for the rest."
    )
    steps: int = param(30_000, "Steps", min=1, max=10_000_000, group="Run")
    record_every: int = param(300, "Record every", unit="steps", min=1, max=100_000, group="Run")

    @model_validator(mode="after")
    def _study_exists(self) -> Self:
        if why := recovery_targets.why_impossible(self):
            raise ValueError(why)
        known = recovery_targets.names(self)
        if self.target != "all" and self.target not in known:
            raise ValueError(f"{self.family} has no target {self.target!r}; it has {', '.join(known)}")
        sizes, entries = self.sample_sizes(), recovery_targets.linear_size(self)
        if self.family == "matrix" and entries and sizes[-1] > entries:
            raise ValueError(f"sizes: the matrix has {entries} entries, not {sizes[-1]}")
        if min(self.row_starts()) <= 0:
            raise ValueError("starts: give positive standard deviations, such as 1e-4 1e-2 1")
        if self.row_widths()[0] < 1:
            raise ValueError(f"widths: a net has at least one unit, got {self.widths!r}")
        if self.sweep == "width":
            least = recovery_targets.units_needed(self)
            if self.family not in recovery_targets.NETS:
                raise ValueError(f"sweep: {self.family} has no hidden width")
            if self.row_widths()[0] < least:
                raise ValueError(f"widths: {self.row_widths()[0]} cannot express the target, which takes {least}")
        return self

    def sample_sizes(self) -> tuple[int, ...]:
        """n of each column, ascending."""
        sizes = numbers("sizes", self.sizes, int) or recovery_targets.default_sizes(self)
        if not 1 <= sizes[0] <= sizes[-1] <= MOST:
            raise ValueError(f"sizes: a sample has at least one point and {MOST} at most, got {self.sizes!r}")
        return sizes

    def row_targets(self) -> tuple[str, ...]:
        """The target of each row."""
        known = recovery_targets.names(self) if self.target == "all" else (self.target,)
        rows = {"start": self.row_starts, "width": self.row_widths}
        return known if self.sweep == "targets" else known[:1] * len(rows[self.sweep]())

    def row_starts(self) -> tuple[float, ...]:
        """Sizes of the start to compare, ascending; the one that is judged is always among them."""
        return tuple(sorted({self.init_std, *numbers("starts", self.starts)}))

    def row_widths(self) -> tuple[int, ...]:
        """Hidden widths to compare, ascending; the one that is judged is always among them."""
        return tuple(sorted({self.width, *numbers("widths", self.widths, int)}))


_START = {"sweep": "start", "target": "M1"}
_NET: dict[str, Any] = {"optimizer": "adam", "steps": 8000, "init_std": 1e-3, "trials": 3}
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


def stops_cells(config: Any) -> bool:
    return config.stop > 0


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
            help="Bright cells are not recovered. The dashes are the closed form: the edge should sit on them. "
            "Rows: ranks of matrices, numbers of targets, log₁₀ σ₀ or widths.",
            z_label="rel. error",
            **_MAP,
        ),
        Matrix("train_error", title="Training error", help="Small everywhere.", z_label="training error", **_MAP),
        Matrix(
            "recovered_share",
            title="Share of trials recovered",
            help="The trials behind the medians.",
            z_label="share",
            **{**_MAP, "z_log": False, "z_range": (0.0, 1.0)},
        ),
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
        Profile(
            "row_coordinate",
            ("optimistic_size", "target_rank"),
            points=("target_rank",),
            title="Closed form and rank of each row",
            help="The dots, ranks read off singular values, sit on the line.",
            x_label="row",
            y_label="samples",
        ),
        Profile(
            "spectrum_number",
            ("target_spectrum",),
            title="Spectrum of the tangent matrix",
            help="Of the first row's target: as many values above the gap as samples are needed.",
            x_label="number",
            y_label="σ / σ_max",
            y_log=True,
            primary=False,
        ),
        Matrix(
            "learned_rank",
            title="Rank of the recovered matrix",
            help="Matrices: below the dashes the fit has another rank, often a lower one.",
            z_label="rank",
            when=of_matrices,
            primary=False,
            **{**_MAP, "z_log": False, "z_range": None},
        ),
        Matrix(
            "steps_used",
            title="Steps used",
            help="Until the training error fell below the threshold that stops a cell.",
            z_label="steps",
            when=stops_cells,
            **{**_MAP, "z_range": None},
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
        "cnn": Preset({**_NET, "family": "cnn", "width": 1}, "One tanh kernel shared over three positions."),
        "unshared": Preset({**_NET, "family": "unshared", "width": 1}, "The same function by a kernel for each place."),
        "dense": Preset({**_NET, "family": "dense", "width": 3}, "The same function by three free tanh units."),
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
    state = ("model", "optimizer", "row_on", "taken")

    def setup(self) -> None:
        from lab.models.captured import optimizer_for
        from lab.models.recovery import family_of

        config = self.config
        net = config.family in recovery_targets.NETS
        single = config.precision == "single" or (net and config.precision == "of the model")
        dtype = torch.float32 if single else torch.float64
        sizes, targets, width = config.sample_sizes(), config.row_targets(), config.width
        if config.sweep == "width":
            width = config.row_widths()[-1]  # narrower rows begin with units at zero, and those stay there
        self.family = family_of(config, width, self.generator("data", "target"))
        units = width * (1 if config.family == "dense" else recovery_targets.positions(config)) if net else 4
        entries = len(targets) * len(sizes) * config.trials * max(sizes[-1], 1000 if net else 16)
        needed = 4 * entries * units * dtype.itemsize  # an activation, its gradient and what they are made of
        needed += 2 * config.trials * sizes[-1] * recovery_targets.size(config) * 8  # and the inputs
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
        self.taken = torch.zeros(len(targets), len(sizes), config.trials, dtype=torch.int64, device=self.device)
        parameters = list(self.model.parameters())
        make = torch.optim.SGD if config.optimizer == "gd" else torch.optim.Adam
        self.optimizer = optimizer_for(self.device, make, parameters, config.lr)
        self.update = self.as_graph(self._update)

    def _start(self, starts: torch.Tensor, sizes: int, dtype: torch.dtype) -> torch.nn.ParameterDict:
        """Parameters (R, S, T, ...): a trial begins alike at every sample size, and in proportion in every row."""
        model = torch.nn.ParameterDict()
        for name, shape in self.family.shapes.items():
            one = torch.randn(1, 1, self.config.trials, *shape, generator=self.generator("init"), dtype=torch.float64)
            scale = starts.reshape(-1, *[1] * (one.ndim - 1))
            full = (scale * one).expand(-1, sizes, *one.shape[2:]).clone()
            if self.config.sweep == "width":
                for row, width in zip(full, self.config.row_widths(), strict=True):
                    row[:, :, width:] = 0
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
        first = recovery_targets.closed_form(self.config, self.config.row_targets()[0])
        place = int(np.searchsorted(sizes, first))
        return min(place, len(sizes) - 1)

    def step(self) -> Mapping[str, Any]:
        from lab.models.captured import set_rate

        config = self.config
        if config.optimizer == "adam":
            falling = 0.505 + 0.495 * np.cos(np.pi * min(self.now / config.steps, 1.0))
            set_rate(self.optimizer, config.lr * falling)
        return {"train_loss": self.update()}

    def _update(self) -> torch.Tensor:
        config = self.config
        drop_gradients(self.optimizer)
        errors = self._errors()
        on = self.row_on[:, None, None]
        if config.stop:
            on = on * (errors.detach() >= config.stop)
            self.taken += on > 0
            self._halt(on == 0)
        (errors * on).sum().backward()
        self.optimizer.step()
        return errors.detach().mean()

    def _halt(self, cells: torch.Tensor) -> None:
        """Take what moves of Adam from these cells, shape (R, S, T), without which they would coast on."""
        for kept in self.optimizer.state.values():
            if "exp_avg" in kept:
                mean = kept["exp_avg"]
                mean.masked_fill_(cells.reshape(*cells.shape, *[1] * (mean.ndim - 3)), 0.0)

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        from lab.models.captured import set_rate

        set_rate(self.optimizer, self.config.lr)

    @action("Stop a row", help="Its cells stay as they are; the other rows train on. Twice: it goes on.")
    def toggle_row(self, row: int = 0) -> None:
        if not 0 <= row < len(self.row_on):
            raise ConfigError({"row": f"there is no row {row}; rows are 0 to {len(self.row_on) - 1}"})
        self.row_on[row] = 1 - self.row_on[row]
        stopped = torch.zeros_like(self.taken, dtype=torch.bool)
        stopped[row] = True
        self._halt(stopped)

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
            Series("recovered_share", "Share of trials recovered", statistic=f"test error below {RECOVERED:g}"),
            Series(
                "learned_rank", "Rank of the product", statistic="singular values above 1e-2 of the largest, median"
            ),
            Series("steps_used", "Steps used", statistic="median over trials"),
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
            spectra = torch.linalg.svdvals(theta["a"] @ theta["b"]) if "b" in theta else None
        empirical = [empirical_size(row, sizes) for row in median]
        values = rank = None
        if spectra is not None:
            values, above = spectra[0, edge, 0], spectra > 1e-2 * spectra[..., :1]
            rank = np.median(above.sum(-1).cpu().numpy(), axis=2)
        used = np.median(self.taken.cpu().numpy(), axis=2) if self.config.stop else None
        first = np.array(empirical), median[0, edge], train_median[0, edge], values
        return median, train_median, test, *first, (test < RECOVERED).mean(2), rank, used

    @instrument(
        every="steps",
        exact=True,
        series=(
            Series("sample_size", "Sample sizes", "n"),
            Series(
                "row_coordinate",
                "Rows",
                statistic="the target's rank or number, log10 of the start's size, or the width",
            ),
            Series("optimistic_size", "Optimistic sample size", "n", statistic="closed form"),
            Series("numerical_rank", "Model rank", "R", estimator="singular values above 1e-9 of the largest"),
            Series("rank_gap", "Gap behind the rank", "σ_r/σ_{r+1}"),
            Series("completable", "Completable trials", statistic="share; matrices"),
            Series("target_rank", "Model rank of each row's target", "R", estimator="the same singular values"),
            Series("spectrum_number", "Number of the singular value"),
            Series(
                "target_spectrum", "Singular values of the tangent matrix", "σ/σ_max", statistic="first row's target"
            ),
            Series("observed", "Samples in their order", statistic="matrices: numbers of entries, each trial's"),
        ),
    )
    def closed_forms(self) -> tuple[Any, ...] | None:
        from lab.measures.rank_points import numerical_ranks, spectra_of_targets

        if self.now:
            return None
        config, targets = self.config, self.config.row_targets()
        expected = [recovery_targets.closed_form(config, target) for target in targets]
        rows = {"start": np.log10(config.row_starts()), "width": np.array(config.row_widths(), float)}
        ranks_or_numbers = map(recovery_targets.matrix_rank, targets) if of_matrices(config) else range(len(targets))
        at = rows.get(config.sweep, np.array([*ranks_or_numbers], float))
        ranks, gaps = numerical_ranks(self.generator("data", "ranks"))
        own, spectra = spectra_of_targets(self.family, targets, self.generator("data", "targets' ranks"))
        seen = self.x if config.family == "matrix" else None
        forms = np.array(config.sample_sizes()), at, np.array(expected), ranks, gaps, self._completable(expected)
        return *forms, own, np.arange(1, spectra.shape[1] + 1), spectra[0], seen

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
