"""Optimistic sample size: 21 samples pin down a net of 42 parameters at one point, 24 at another."""

import torch

from lab.measures.model_rank import model_rank, recovery_size, sample_ranks, tangent_matrix
from lab.measures.optimistic import tanh_size
from lab.models.mlp import MLP

torch.manual_seed(0)
inputs = torch.randn(400, 5, dtype=torch.float64)
model = MLP((5, 6, 1), "tanh", output_bias=False, weight_std=0.0, dtype=torch.float64)
first, last = model.layers
with torch.no_grad():  # the target: tanh(0.6 x_s + 0.8 x_{s+1} + x_{s+2}) summed over three positions
    for s in range(3):
        first.weight[s, s : s + 3] = torch.tensor([0.6, 0.8, 1.0])
    last.weight[0, :3] = 1.0

print(f"closed form for 3 neurons on 5 inputs with bias: {tanh_size(3, 5, hidden_bias=True)}")
for name in ("spare neurons all zero", "spare neurons with random input weights"):
    result = model_rank(model, inputs)
    size = recovery_size(sample_ranks(tangent_matrix(model, inputs[:42])), result.rank)
    print(f"{name}: rank {result.rank} (gap {result.gap:.0e}), recovered from {size} samples")
    with torch.no_grad():
        first.weight[3:] = torch.randn(3, 5)
