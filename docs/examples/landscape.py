"""The loss around a trained network: a random section, the path in its own plane, and two ways to need fewer points.

Then the planes through three checkpoints, and along the sharpest direction and the gradient. Checkpoints of a run file
come as vectors by ``from_checkpoint(RunReader(path).checkpoint(step), theta)``.
"""

import numpy as np
import torch
from torch import nn

from lab.measures.curvature import lambda_max
from lab.measures.directions import plane_of, plane_through, principal_plane, random_plane, stack, trainable
from lab.measures.hvp import Hessian
from lab.measures.landscape import FunctionalLoss, path_losses, refined, section
from lab.measures.smooth_section import smooth_section

torch.manual_seed(0)
x = torch.linspace(-3, 3, 64)[:, None]
y = torch.sin(2 * x)
model = nn.Sequential(nn.Linear(1, 30), nn.Tanh(), nn.Linear(30, 1))
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
checkpoints = []
for step in range(400):
    if step % 20 == 0:
        checkpoints.append(trainable(model))
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()
theta = trainable(model)  # copies: the model itself is never written to
loss = FunctionalLoss(model, nn.functional.mse_loss, x, y)
path = stack([*checkpoints, theta])

axis = np.linspace(-1, 1, 51)
around = random_plane(theta, seed=0)
result = section(loss, around, [axis, axis])
print(f"random filter-normalised section: {result.values.min():.4f} to {result.values.max():.2f}, {result.how}")

smooth = smooth_section(loss, around, [axis, axis])
worst = np.abs(smooth.section.values - result.values).max() / np.ptp(result.values)
print(f"the same from {smooth.passes} passes: error {worst:.1e} of the range, {smooth.error:.1e} by its own probes")

plane, shares = principal_plane(theta, path)
where, outside = plane.project(path)
print(f"the path: {shares.sum():.0%} of it in its two principal directions, {outside.max():.0%} outside at most")
spans = [(float(column.min()) - 1, float(column.max()) + 1) for column in where.T]
for level in refined(loss, plane, spans):
    print(f"  {level.values.shape[0]} points along an axis, {level.measured.mean():.0%} of them evaluated")
below = section(loss, plane, [where[:1, 0], where[:1, 1]]).values.item()
print(f"true loss at the first checkpoint {path_losses(loss, theta, path)[0]:.3f}, of the plane below it {below:.3f}")

triangle, corners = plane_through(theta, path[0], path[10], path[-1])
axes = [np.linspace(low, high, 25) for low, high in zip(corners.min(0), corners.max(0), strict=True)]
valley = section(loss, triangle, axes)
print(f"through three checkpoints: {valley.values.min():.4f} to {valley.values.max():.3f}")

hessian = Hessian(lambda: nn.functional.mse_loss(model(x), y), model.parameters())
top = lambda_max(hessian)
sharp = plane_of(theta, (top.vector, hessian.gradient), ("sharpest direction", "gradient, less its part there"))
far = np.sqrt(2 * hessian.value / top.value)  # where a parabola of this curvature has doubled the loss
rise = section(loss, sharp, [np.array([-far, 0.0, far]), np.zeros(1)]).values[:, 0] / hessian.value
print(f"along the sharpest direction: {rise[0]:.2f}, {rise[1]:.2f}, {rise[2]:.2f} times the loss")
