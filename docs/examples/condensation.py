"""Initial condensation: from a small initialisation, tanh neurons turn into one direction within 100 steps."""

import torch

from lab.measures.condensation import (
    condensed_fraction,
    cosine_matrix,
    effective_neuron_number,
    leading_order,
    with_bias,
)
from lab.models.mlp import MLP

torch.manual_seed(0)
x = 6 * torch.rand(80, 5, dtype=torch.float64) - 4
y = (3.5 * torch.sin(5 * x + 1)).sum(1, keepdim=True)

for gamma in (4.0, 0.5):
    std = 50**-gamma  # the standard deviation of every weight and bias, not the variance
    model = MLP((5, 50, 1), "tanh", output_bias=False, weight_std=std, bias_std=std, dtype=torch.float64)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(100):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimiser.step()
    first = model.layers[0]
    rows = with_bias(first.weight, first.bias).detach()
    heat_map = cosine_matrix(rows[leading_order(rows)])[0]  # (50, 50), blocks when condensed
    print(
        f"γ = {gamma}: {effective_neuron_number(rows)} of {len(heat_map)} directions, "
        f"{condensed_fraction(rows):.2f} of the pairs closer than cos 0.95"
    )
