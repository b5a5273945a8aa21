"""Criticality: how fast Jacobians grow with depth in a sampled ReLU network, against mean-field theory."""

import torch

from lab.measures.depth_fit import fit_depth
from lab.measures.jacobians import log_apjn, log_block_apjn
from lab.measures.mean_field import correlation_depth, critical_sigma_w2, propagate
from lab.models.residual_mlp import residual_blocks

generator = torch.Generator().manual_seed(0)
depth, width = 40, 100
print(f"ReLU is critical at σ_w² = {critical_sigma_w2('relu'):g}")

for sigma_w2 in (1.5, 2.0, 2.5):
    blocks = residual_blocks(depth, width, "relu", sigma_w2, generator=generator)
    h = torch.randn(8, width, generator=generator)
    with torch.no_grad():
        log_j = log_apjn(blocks, h, probes=4, generator=generator)
        chi = log_block_apjn(blocks, h, probes=4, generator=generator).exp().mean()
    theory = propagate("relu", depth, sigma_w2)
    print(
        f"σ_w² = {sigma_w2}: χ = {chi:.3f} (theory {theory.chi_j[-1]:.3f}), "
        f"ln J = {log_j[-1]:.1f} after {depth} blocks (theory {theory.log_apjn[-1]:.1f}), "
        f"ξ = {fit_depth(log_j.numpy()).correlation_depth:.1f} (theory {correlation_depth(theory.chi_j[-1]):.1f})"
    )
