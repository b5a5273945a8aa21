"""Curvature beside PyHessian and curvlinops, at equal true accuracy, in one run: ``python -m tests.bench.curvature``.

Every method reads the same points of one real training trajectory. A peer's tolerance is the loosest of a ladder
with which its true relative error, against a reference converged to 1e-5, is at most 1e-3 at every point: the peer may
choose with hindsight, ours is 1e-3. Times are processor times of readings taken in turns, in gradients of the same
loss: at each point the median of the repetitions, then the mean over the points, since our readings differ in cost.
"""

import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lab.measures.curvature import lambda_max, top_eigenpairs
from lab.measures.density import broadened, spectral_density
from lab.measures.hvp import Hessian
from tests.bench.table import Result

TOL = 1e-3
TOP_POINTS = 5
LADDER = [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6]
TARGETS = {"lambda_max": 5.0, "density": 3.0, "top 10": 1.5}


@dataclass(frozen=True)
class Row:
    """One comparison: times in gradients, true errors, and how many times cheaper we are."""

    net: str
    quantity: str
    peer: str
    ours: float
    theirs: float
    our_error: float
    their_error: float
    note: str

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours


class Transformer(nn.Module):
    def __init__(self, width: int = 16, vocabulary: int = 20) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(0.1 * torch.randn(8, width))
        layer = functools.partial(nn.TransformerEncoderLayer, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.ModuleList(layer(width, 2, 2 * width, activation="gelu") for _ in range(2))
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embedding(tokens) + self.position
        for layer in self.layers:
            hidden = layer(hidden)
        return self.head(hidden[:, -1])


@dataclass
class Problem:
    """A network on its data with full-batch gradient descent behind it, at points 10 steps apart."""

    name: str
    model: nn.Module
    x: Tensor
    y: Tensor
    criterion: nn.Module
    points: list[Tensor]

    def loss(self) -> Tensor:
        return self.criterion(self.model(self.x), self.y)

    def at(self, point: Tensor) -> None:
        nn.utils.vector_to_parameters(point, self.model.parameters())

    def hessian(self) -> Hessian:
        return Hessian(self.loss, self.model.parameters())


def problem(name: str, points: int) -> Problem:
    torch.manual_seed(0)
    if name == "mlp":
        model = nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        x, y, criterion, lr = torch.randn(128, 10), torch.randn(128, 1), nn.MSELoss(), 0.05
    elif name == "cnn":
        half = [nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2)]
        model = nn.Sequential(
            *half, nn.Conv2d(8, 16, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(64, 10)
        )
        x, y, criterion, lr = torch.randn(128, 1, 8, 8), torch.randint(0, 10, (128,)), nn.CrossEntropyLoss(), 0.1
    else:
        model, x, criterion, lr = Transformer(), torch.randint(0, 20, (64, 8)), nn.CrossEntropyLoss(), 0.1
        y = x[:, 2]
    made = Problem(name, model, x, y, criterion, [])
    params = list(model.parameters())
    for step in range(100 + 10 * points):
        if step >= 100 and step % 10 == 0:
            made.points.append(nn.utils.parameters_to_vector(params).detach().clone())
        grads = torch.autograd.grad(made.loss(), params)
        with torch.no_grad():
            for p, g in zip(params, grads, strict=True):
                p -= lr * g
    return made


def seconds(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def gradient_seconds(made: Problem) -> float:
    params = list(made.model.parameters())
    return statistics.median(seconds(lambda: torch.autograd.grad(made.loss(), params)) for _ in range(30))


def relative(values: np.ndarray, exact: np.ndarray) -> float:
    return float(np.max(np.abs(np.asarray(values) - exact) / np.abs(exact)))


def along(made: Problem, *readers: Callable[[], object]) -> tuple[list[np.ndarray], np.ndarray]:
    """Each reader's values at all points but the first (a start-up that a long run forgets), and the seconds of each.

    The readers take turns at every point, so that a busy machine is busy for all of them, and processor time is taken.

    Returns:
        For each reader its values, shape (points - 1, ...), and the times, shape (readers, points - 1).
    """
    values, times = [[] for _ in readers], [[] for _ in readers]
    for point in made.points:
        made.at(point)
        for i, read in enumerate(readers):
            before = time.process_time()
            values[i].append(read())
            times[i].append(time.process_time() - before)
    return [np.array(v[1:]) for v in values], np.array(times)[:, 1:]


def our_reader(made: Problem, k: int) -> Callable[[], object]:
    last = None

    def read() -> object:
        nonlocal last
        if k == 1:
            top = lambda_max(made.hessian(), tol=TOL, start=last)
            last = top.start
            return top.value
        pairs = top_eigenpairs(made.hessian(), k, tol=TOL, start=last)
        last = pairs.start
        return pairs.values

    return read


def pyhessian_reader(made: Problem, tol: float) -> Callable[[], float]:
    from pyhessian import hessian

    def read() -> float:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            peer = hessian(made.model, made.criterion, data=(made.x, made.y), cuda=False)
        value = peer.eigenvalues(maxIter=2000, tol=tol, top_n=1)[0][0]
        made.model.zero_grad()
        return value

    return read


def curvlinops_operator(made: Problem):
    from curvlinops import HessianLinearOperator

    params, data = list(made.model.parameters()), [(made.x, made.y)]
    return HessianLinearOperator(made.model, made.criterion, params, data, check_deterministic=False)


def curvlinops_reader(made: Problem, k: int, tol: float) -> Callable[[], object]:
    from scipy.sparse.linalg import eigsh

    options: dict[str, Any] = {"k": k, "which": "LA", "tol": tol, "return_eigenvectors": k > 1}

    def read() -> object:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            values = eigsh(curvlinops_operator(made).to_scipy(), **options)
        values = values[0] if k > 1 else values
        return float(values[-1]) if k == 1 else values[::-1]

    return read


def loosest(made: Problem, reader: Callable[[float], Callable], exact: np.ndarray) -> float:
    """The first tolerance of the ladder, loosest first, that is truly accurate at every point; else the last."""
    for tol in LADDER:
        read = reader(tol)
        if all(
            relative(reading(made, point, read), truth) <= TOL for point, truth in zip(made.points, exact, strict=True)
        ):
            return tol
    return LADDER[-1]


def reading(made: Problem, point: Tensor, read: Callable[[], object]) -> np.ndarray:
    made.at(point)
    return np.asarray(read())


def eigenvalue_rows(made: Problem, k: int, repetitions: int) -> list[Row]:
    reference = functools.partial(top_eigenpairs, k=k + 2, tol=1e-5, guard=4, strict=False)
    exact = np.array([reading(made, point, lambda: reference(made.hessian()).values[:k]) for point in made.points])
    exact = exact if k > 1 else exact[:, 0]
    peers = {"curvlinops + eigsh": lambda tol: curvlinops_reader(made, k, tol)}
    if k == 1:
        peers = {"PyHessian": lambda tol: pyhessian_reader(made, tol), **peers}
    rows, unit = [], gradient_seconds(made)
    for name, reader in peers.items():
        try:
            tol = loosest(made, reader, exact)
        except ImportError:
            nan = float("nan")
            quantity = "lambda_max" if k == 1 else f"top {k}"
            rows.append(Row(made.name, quantity, name, nan, nan, nan, nan, "not installed"))
            continue
        runs = [along(made, our_reader(made, k), reader(tol)) for _ in range(repetitions)]
        ours, theirs = np.median([times for _, times in runs], axis=0).mean(axis=1) / unit
        our_values, their_values = runs[-1][0]
        rows.append(
            Row(
                made.name,
                "lambda_max" if k == 1 else f"top {k}",
                name,
                float(ours),
                float(theirs),
                relative(our_values, exact[1:]),
                relative(their_values, exact[1:]),
                f"its tol {tol:g}",
            )
        )
    return rows


def density_rows(made: Problem) -> list[Row]:
    """Both with 8 probes and 50 Lanczos steps, both judged in L1 against the dense spectrum, with its broadening."""
    made.at(made.points[-1])
    exact = np.linalg.eigvalsh(made.hessian().dense())
    unit, nan = gradient_seconds(made), float("nan")

    def error(grid: np.ndarray, density: np.ndarray, sigma: float) -> float:
        truth = broadened(grid, exact, np.full(len(exact), 1 / len(exact)), sigma)
        return float(np.trapezoid(np.abs(density - truth), grid))

    try:
        from curvlinops import LanczosApproximateSpectrumCached
    except ImportError:
        return [Row(made.name, "density", "curvlinops Lanczos", nan, nan, nan, nan, "not installed")]
    edges, kappa, points, margin = (float(exact[0]), float(exact[-1])), 3.0, 1024, 0.05

    def theirs() -> tuple[np.ndarray, np.ndarray]:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            cached = LanczosApproximateSpectrumCached(curvlinops_operator(made), 50, edges)
            grid, density = cached.approximate_spectrum(num_repeats=8, num_points=points, kappa=kappa, margin=margin)
        return np.asarray(grid), np.asarray(density)

    # its kernel is a Gaussian on the spectrum scaled to [-1, 1]
    sigma = (edges[1] - edges[0]) * (1 + 2 * margin) / (49 * float(np.sqrt(8 * np.log(kappa))))

    def ours():
        return spectral_density(made.hessian(), probes=8, steps=50, broadening=sigma)

    began = time.process_time()
    found = ours()
    between = time.process_time()
    grid, density = theirs()
    ended = time.process_time()
    density = density / np.trapezoid(density, grid)
    row = Row(
        made.name,
        "density",
        "curvlinops Lanczos",
        (between - began) / unit,
        (ended - between) / unit,
        error(found.grid, found.density, found.broadening),
        error(grid, density, sigma),
        "8 probes, 50 steps; error in L1",
    )
    return [row]


def lambda_max_rows(made: Problem) -> list[Row]:
    return eigenvalue_rows(made, 1, repetitions=3)


def top_ten_rows(made: Problem) -> list[Row]:
    """Seconds of work a reading: fewer points, and one look at each, say as much."""
    return eigenvalue_rows(replace(made, points=made.points[:TOP_POINTS]), 10, repetitions=1)


def line(row: Row) -> str:
    missed = f"; target {TARGETS[row.quantity]:g} missed" if row.ratio < TARGETS[row.quantity] else ""
    return (
        f"{row.net:<12}{row.quantity:<12}{row.peer:<20}{row.ours:>8.1f}{row.theirs:>9.1f}{row.ratio:>8.1f}"
        f"{row.our_error:>10.1e}{row.their_error:>10.1e}  {row.note}{missed}"
    )


def run(nets: tuple[str, ...] = ("mlp", "cnn", "transformer"), points: int = 10) -> list[Row]:
    """Measure and print; returns the rows."""
    torch.set_num_threads(1)
    rows = []
    print(f"{'net':<12}{'quantity':<12}{'peer':<20}{'ours':>8}{'theirs':>9}{'ratio':>8}", end="")
    print(f"{'our err':>10}{'its err':>10}  note")
    for name in nets:
        made = problem(name, points)
        for measure in (lambda_max_rows, top_ten_rows, density_rows):
            for row in measure(made):
                rows.append(row)
                print(line(row), flush=True)
    return rows


def measure() -> list[Result]:
    """The rows as they stand in the bench table."""
    results = []
    for row in run():
        target = TARGETS[row.quantity]
        accuracy = f"true error {row.our_error:.0e}, theirs {row.their_error:.0e}; {row.ours:.0f} gradients"
        what = f"{row.quantity}, {row.net}, against {row.peer}"
        measured = "peer not installed" if np.isnan(row.ratio) else f"{row.ratio:.1f} times cheaper"
        results.append(Result(what, measured, f"≥ {target:g}", row.ratio >= target, accuracy))
    return results


if __name__ == "__main__":
    run()
