"""Curvature of a small network while it trains: paste into a notebook; it takes seconds."""

import torch
from torch import nn

from lab.measures.curvature import gradient_curvature, lambda_max, preconditioned, top_eigenpairs, update_curvature
from lab.measures.density import spectral_density
from lab.measures.gauss_newton import GaussNewton
from lab.measures.groups import layers
from lab.measures.hvp import Hessian
from lab.measures.preconditioners import preconditioner
from lab.measures.samples import gradient_noise, ntk, per_sample_gradients
from lab.measures.trace import xtrace

torch.manual_seed(0)
x = torch.linspace(-3, 3, 100)[:, None]
y = x.sin() + (4 * x).sin()
model = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


def loss() -> torch.Tensor:
    return nn.functional.mse_loss(model(x), y)


top = None
for step in range(100):
    if step % 20 == 0:
        hessian = Hessian(loss, model.parameters())  # one graph for all readings at this step
        adam = preconditioner(optimizer, model.parameters(), hessian.gradient)  # of the coming step
        top = lambda_max(hessian, start=top.start if top else None)  # warm from the second reading on
        edge = lambda_max(preconditioned(hessian, adam))
        print(
            f"step {step:3d}  loss {hessian.value:.3f}  "
            f"sharpness {top.value:.2f} ± {top.error:.0e} ({top.hvps} products)  preconditioned {edge.value:.1f}, "
            f"along the update {update_curvature(hessian, adam):.1f} of {adam.threshold:.0f}"
        )
    optimizer.zero_grad()
    loss().backward()
    optimizer.step()

hessian = Hessian(loss, model.parameters())
print("top five:", top_eigenpairs(hessian, 5).values.round(2))
print("along the gradient:", round(gradient_curvature(hessian), 2))
print("by layer:", {name: round(lambda_max(hessian.block(params)).value, 2) for name, params in layers(model).items()})
trace, density = xtrace(hessian), spectral_density(hessian)
print(f"trace {trace.value:.2f} ± {trace.standard_error:.2f}")
print(f"spectrum from {density.nodes.min():.2f} to {density.nodes.max():.2f}")
ggn = GaussNewton(lambda: model(x), lambda outputs: nn.functional.mse_loss(outputs, y), model.parameters())
noise = gradient_noise(per_sample_gradients(model, nn.functional.mse_loss, x, y), k=3)
print(f"GGN {lambda_max(ggn).value:.2f}; noise trace {noise.trace:.2f}")
print(f"NTK {torch.linalg.eigvalsh(ntk(model, x))[-1]:.1f}")
