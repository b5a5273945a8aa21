"""A 51x51 loss section against the loss-landscapes package, side by side: ``python -m tests.bench.landscape``.

The peer walks its grid in a zigzag and shifts every odd row by one step: values are compared in its even rows.
``section`` evaluates every point, ``smooth_section`` interpolates the network's outputs and says its error. Time is
processor time, the peer's and ours in turns, medians; all models are in eval mode.
"""

import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lab.measures.directions import Plane, flatten, random_direction, trainable
from lab.measures.landscape import FunctionalLoss, section
from lab.measures.smooth_section import smooth_section
from tests.bench.table import Result

STEPS = 51
NOTE = """
A point of an exact section costs the forward pass's arithmetic, which the peer spends too: batching saves its overhead
and no more. Only the first layer is linear in the two coordinates, which would allow factors of 1.4 (MLP), 1.2 (CNN)
and 1.0 (transformer). The smooth section interpolates the network's outputs and states its error over the range of
values, about 1e-3 at most here; relative errors are larger at the bottom of a deep basin. ReLU and max-pooling converge
slowly, so a CNN with few samples needs hundreds of the 2601 passes; kriging with Matérn kernels, on even grids or on
these nodes, needed nine tenths as many.
"""


class Block(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        heads = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = heads.unbind(0)
        attention = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        x = x + self.out((attention @ v).transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """Two layers; answers at the last token."""

    def __init__(self, tokens: int = 20, width: int = 32, length: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.position = nn.Parameter(0.1 * torch.randn(length, width))
        self.blocks = nn.Sequential(Block(width, 2), Block(width, 2))
        self.head = nn.Linear(width, tokens)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.embed(x) + self.position)[:, -1])


def problems(samples: int) -> dict[str, tuple[nn.Module, Tensor, Tensor]]:
    """Small networks and learnable data: (model, inputs, targets)."""
    torch.manual_seed(0)
    mlp = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    cnn = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    vectors, images = torch.randn(samples, 32), torch.randn(samples, 1, 8, 8)
    tokens = torch.randint(0, 20, (samples, 8))
    return {
        "MLP": (mlp, vectors, (vectors @ torch.randn(32, 10)).argmax(1)),
        "CNN": (cnn, images, (images.flatten(1) @ torch.randn(64, 10)).argmax(1)),
        "transformer": (Transformer(), tokens, tokens[:, 2]),
    }


def train(model: nn.Module, x: Tensor, y: Tensor, steps: int = 40) -> None:
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def peer_section(model: nn.Module, plane: Plane, span: float, loss: FunctionalLoss) -> np.ndarray:
    """Values of loss-landscapes' planar_interpolation from the corner (-span, -span) along both directions."""
    import loss_landscapes
    from loss_landscapes.metrics import Loss

    corners = [torch.tensor([[-span, -span]]), torch.tensor([[span, -span]]), torch.tensor([[-span, span]])]
    models = [copy.deepcopy(model) for _ in corners]
    for copied, corner in zip(models, corners, strict=True):
        nn.utils.vector_to_parameters(plane.points(corner)[0], copied.parameters())
    metric = Loss(loss.criterion, loss.inputs, loss.targets)
    return loss_landscapes.planar_interpolation(*models, metric, steps=STEPS)


def compare(name: str, model: nn.Module, x: Tensor, y: Tensor, span: float, repeats: int) -> dict[str, Any]:
    train(model, x, y)
    loss, like = FunctionalLoss(model, cross_entropy, x, y), trainable(model)
    generator = torch.Generator().manual_seed(0)
    plane = Plane(like, torch.stack([random_direction(like, generator) for _ in range(2)]))
    axis = -span + 2 * span / STEPS * np.arange(STEPS + 1)
    times: dict[str, list[float]] = {"peer": [], "exact": [], "smooth": [], "gradient": []}
    for _ in range(repeats):
        spent, peer = seconds(lambda: peer_section(model, plane, span, loss))
        times["peer"].append(spent)
        spent, exact = seconds(lambda: section(loss, plane, [axis[:-1], axis[1:]]))
        times["exact"].append(spent)
        spent, smooth = seconds(lambda: smooth_section(loss, plane, [axis[:-1], axis[1:]]))
        times["smooth"].append(spent)
        spent, _ = seconds(lambda: [cross_entropy(model(x), y).backward() for _ in range(20)])
        times["gradient"].append(spent / 20)
    model.zero_grad()
    middle = {key: statistics.median(value) for key, value in times.items()}
    # our columns run over steps 1..51: the peer's even rows; every second row is compared
    even = slice(None, None, 2)
    return {
        "network": name,
        "parameters": flatten(like).numel(),
        "samples": len(x),
        "peer_gradients_a_point": middle["peer"] / STEPS**2 / middle["gradient"],
        "exact_gradients_a_point": middle["exact"] / STEPS**2 / middle["gradient"],
        "exact_ratio": middle["peer"] / middle["exact"],
        "exact_difference": float(np.abs(exact.values[even] / peer[even] - 1).max()),
        "smooth_ratio": middle["peer"] / middle["smooth"],
        "smooth_passes": smooth.passes,
        "smooth_stated": smooth.error,
        "smooth_difference": float(np.abs(smooth.section.values - exact.values).max() / np.ptp(exact.values)),
        "smooth_relative": float(np.abs(smooth.section.values / exact.values - 1).max()),
        "how": exact.how,
    }


def main(samples: tuple[int, ...] = (32, 128), span: float = 0.5, repeats: int = 3) -> list[dict[str, Any]]:
    """Print the table and return its rows."""
    torch.set_num_threads(1)
    rows = [compare(name, *p, span, repeats) for n in samples for name, p in problems(n).items()]
    print(f"51x51 section, filter-normalised, span ±{span}; ratios of processor time, peer / ours (target 10)")
    print(
        f"{'network':12}{'P':>7}{'n':>5} | {'peer':>6}{'exact':>7} gradients a point | {'exact':>6}{'max rel.':>10} |"
        f" {'smooth':>6}{'passes':>8}{'of range':>10}{'max rel.':>10} | how"
    )
    for r in rows:
        print(
            f"{r['network']:12}{r['parameters']:7d}{r['samples']:5d} | {r['peer_gradients_a_point']:6.2f}"
            f"{r['exact_gradients_a_point']:7.3f}{'':18} | {r['exact_ratio']:6.1f}{r['exact_difference']:10.1e} |"
            f" {r['smooth_ratio']:6.1f}{r['smooth_passes']:8d}{r['smooth_difference']:10.1e}"
            f"{r['smooth_relative']:10.1e} | {r['how']}"
        )
    return rows


def measure() -> list[Result]:
    """The rows as they stand in the bench table."""
    results = []
    for row in main():
        net = f"51x51 section, {row['network']}, {row['samples']} samples, against loss-landscapes"
        exact, smooth = row["exact_ratio"], row["smooth_ratio"]
        note = f"largest relative difference {row['exact_difference']:.0e}"
        results.append(Result(f"{net}: every point", f"{exact:.1f} times quicker", "≥ 10", exact >= 10, note))
        note = (
            f"{row['smooth_passes']} passes; largest error of all points {row['smooth_difference']:.0e} of the range, "
            f"{row['smooth_stated']:.0e} by its own probes"
        )
        results.append(Result(f"{net}: smooth section", f"{smooth:.1f} times quicker", "≥ 10", smooth >= 10, note))
    return results


if __name__ == "__main__":
    main()
