"""One decoder trained by several processes, each on its share of every batch: torchrun --nproc-per-node 2 THIS_FILE.

The gradient that the processes agree on is that of the whole batch, so the loss is the one that a single process sees.
"""

import os

import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from lab.models.architecture import Architecture
from lab.models.transformer import Transformer

BATCH, STEPS = 32, 20


def losses(rank: int, processes: int) -> list[float]:
    """Of the whole batch, before each step; the same seeds in every process give the same start and the same data."""
    generator = torch.Generator().manual_seed(0)
    tokens, labels = (torch.randint(201, shape, generator=generator) for shape in ((BATCH, 9), (BATCH,)))
    model = Transformer(Architecture(201, 9, 64, 2, 1, 32, 192, norm="post"), generator)
    trained = DistributedDataParallel(model) if processes > 1 else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    found = []
    for _ in range(STEPS):
        share = slice(rank, None, processes)
        loss = cross_entropy(trained(tokens[share])[:, -1], labels[share])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen = loss.detach().clone()
        if processes > 1:
            dist.all_reduce(seen)
        found.append(seen.item() / processes)
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    alone = losses(0, 1)
    if processes > 1:
        dist.init_process_group("gloo")
        together = losses(rank, processes)
        dist.destroy_process_group()
        worst = max(abs(a / b - 1) for a, b in zip(together, alone, strict=True))
        if rank == 0:
            print(f"{processes} processes: loss {alone[0]:.4f} to {together[-1]:.4f}, off by {worst:.1e} at most")
    else:
        print(f"one process: loss {alone[0]:.4f} to {alone[-1]:.4f}")
