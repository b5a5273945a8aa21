"""The measures of weights, Jacobians and ranks give on a GPU what they give on the CPU."""

import pytest
import torch

from lab.measures import complexity, condensation, ipr, jacobians, model_rank, rank, weights
from lab.models.mlp import MLP

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def gaussian(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    "measure",
    [
        lambda w: condensation.cosine_matrix(w)[0],
        condensation.leading_order,
        condensation.group_labels,
        condensation.condensed_fraction,
        condensation.mean_abs_cosine,
        lambda w: condensation.weighted_condensed_fraction(w, condensation.amplitudes(w, w.T)),
        lambda w: condensation.dropout_regulariser(w, w, 0.8),
        rank.effective_rank,
        rank.stable_rank,
        rank.participation_ratio,
        ipr.fourier_ipr,
        lambda w: ipr.fourier_ipr(w, order=ipr.discrete_log_order(7)),
        lambda w: complexity.path_norm([w, w.T], [w[:, 0], None]),
        lambda w: complexity.layer_complexity(w).initialisation_rate,
        lambda w: weights.relative_distance(w, w + 1),
        lambda w: model_rank.numerical_rank(w).singular_values,
    ],
)
def test_a_measure_of_weights_agrees_with_the_cpu(measure):
    weight = gaussian(12, 7)
    here, there = measure(weight), measure(weight.cuda())
    torch.testing.assert_close(torch.as_tensor(there).cpu(), torch.as_tensor(here), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "measure",
    [
        lambda blocks, h: jacobians.log_apjn(blocks, h),
        lambda blocks, h: jacobians.log_block_apjn(blocks, h, probes=3, generator=torch.Generator().manual_seed(1)),
        lambda blocks, h: jacobians.jacobian_singular_values(blocks[1], blocks[0](h)),
        jacobians.signal_variances,
        lambda blocks, h: jacobians.log_gradient_variances(blocks, h, h[:, :2]),
        lambda blocks, h: jacobians.correlations(blocks, h, h.flip(0)),
    ],
)
def test_a_measure_of_jacobians_agrees_with_the_cpu(measure):
    model, h = MLP((4, 6, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64), gaussian(5, 4)
    here = measure(model.blocks(), h).detach()
    there = measure(model.cuda().blocks(), h.cuda()).detach().cpu()
    torch.testing.assert_close(there, here, rtol=1e-9, atol=1e-12)


def test_a_model_has_the_same_rank_as_on_the_cpu():
    model, x = MLP((4, 6, 2), generator=torch.Generator().manual_seed(0)), gaussian(100, 4)
    here = model_rank.model_rank(model, x)
    there = model_rank.model_rank(model.cuda(), x.cuda())
    assert there.rank == here.rank
