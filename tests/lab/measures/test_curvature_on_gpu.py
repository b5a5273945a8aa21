"""The measures of curvature, landscapes and information flow give on a GPU what they give on the CPU."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from lab.measures.attention import attention_maps
from lab.measures.density import spectral_density
from lab.measures.directions import random_plane, trainable
from lab.measures.gauss_newton import GaussNewton
from lab.measures.hvp import Hessian
from lab.measures.information_flow import causal_edge_effects, value_norm_weights
from lab.measures.landscape import FunctionalLoss
from lab.measures.samples import gradient_noise, ntk, per_sample_gradients
from lab.measures.smooth_section import smooth_section
from lab.measures.trace import exact_trace, hutchinson_trace, xtrace
from lab.models.architecture import Architecture
from lab.models.transformer import Transformer
from tests.lab.measures.nets import closure, mlp

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

DEVICE = "cuda"
Problem = tuple[nn.Module, torch.Tensor, torch.Tensor, Callable]


def hessian(problem: Problem) -> Hessian:
    return Hessian(closure(*problem), problem[0].parameters())


def noise(problem: Problem) -> np.ndarray:
    model, x, y, loss = problem
    return gradient_noise(per_sample_gradients(model, loss, x, y)).eigenvalues


def section(problem: Problem) -> np.ndarray:
    model, x, y, loss = problem
    plane = random_plane(trainable(model), 0)
    return smooth_section(FunctionalLoss(model, loss, x, y), plane, [np.linspace(-1, 1, 31)] * 2).section.values


@pytest.mark.parametrize(
    "measure",
    [
        lambda problem: spectral_density(hessian(problem), probes=4, steps=8).density,
        lambda problem: hutchinson_trace(hessian(problem)).value,
        lambda problem: xtrace(hessian(problem), hvps=40).value,
        lambda problem: exact_trace(hessian(problem)).value,
        lambda problem: GaussNewton(
            lambda: problem[0](problem[1]), lambda f: problem[3](f, problem[2]), problem[0].parameters()
        ).dense(),
        lambda problem: ntk(problem[0], problem[1]).cpu().numpy(),
        noise,
        section,
    ],
)
def test_a_measure_of_a_loss_agrees_with_the_cpu(measure: Callable[[Problem], np.ndarray | float]):
    model, x, y, loss = mlp()
    here = measure((model, x, y, loss))
    there = measure((model.to(DEVICE), x.to(DEVICE), y.to(DEVICE), loss))
    np.testing.assert_allclose(there, here, rtol=1e-6, atol=1e-9)


def test_a_measure_of_attention_agrees_with_the_cpu():
    sizes = Architecture(11, 6, width=8, layers=2, heads=2)
    model = Transformer(sizes, torch.Generator().manual_seed(0), dtype=torch.float64)
    tokens = torch.randint(11, (3, 5), generator=torch.Generator().manual_seed(1))

    def read(tokens: torch.Tensor) -> list[torch.Tensor]:
        with torch.no_grad():
            weights = value_norm_weights(model, model.trace(tokens))
        return [attention_maps(model, tokens), weights, causal_edge_effects(model, tokens, tokens[:, 0])]

    here = read(tokens)
    model.to(DEVICE)
    for there, expected in zip(read(tokens.to(DEVICE)), here, strict=True):
        torch.testing.assert_close(there.cpu(), expected, rtol=1e-9, atol=1e-11)
