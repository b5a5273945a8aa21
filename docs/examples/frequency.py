"""Why 65 badly placed samples of sin 6x look like sin x, and which frequencies a network learns first."""

import math

import torch
from torch import nn

from lab.measures.frequency import amplitudes, gaussian_split, nudft, peaks, relative_error

torch.manual_seed(0)
grid = -math.pi + 2 * math.pi * torch.arange(1000, dtype=torch.float64) / 1000
near = (torch.sin(grid) - torch.sin(6 * grid)).abs().argsort()[:30]  # where the two functions meet
samples = torch.cat([grid[near], grid[::28]])
k = torch.arange(13, dtype=torch.float64)
for name, x in (("grid", grid), ("chosen samples", samples)):
    spectrum = amplitudes(x, torch.sin(6 * x), k)
    print(f"sin 6x on the {name}: peaks at k = {peaks(spectrum).tolist()}, |F(1)| = {spectrum[1]:.3f}")

x = grid[::5]
target = torch.sin(x) + torch.sin(4 * x)
model = nn.Sequential(nn.Linear(1, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 1)).double()
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
wanted = nudft(x, target, torch.tensor([1.0, 4.0]))
for step in range(401):
    output = model(x[:, None])[:, 0]
    if step % 80 == 0:  # low frequencies first: the error at k = 1 falls before that at k = 4
        low, high = relative_error(wanted, nudft(x, output, torch.tensor([1.0, 4.0]))).tolist()
        (part,) = gaussian_split(x[:, None], target - output, [0.5])
        rest = part.low.norm()
        print(f"step {step}: error {low:.2f} at k = 1, {high:.2f} at k = 4; low part of the residual {rest:.2f}")
    optimizer.zero_grad()
    (output - target).square().mean().backward()
    optimizer.step()
