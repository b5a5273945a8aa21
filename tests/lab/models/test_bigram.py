"""The bigram table's gradient, Hessian and parts against autograd; its samples against their distribution."""

import pytest
import torch

from lab.models.bigram import Bigram

CPU = torch.device("cpu")


def small(**values) -> Bigram:
    settings = {"contexts": 6, "tokens": 5, "replicates": 2, "batch": None} | values
    return Bigram(torch.Generator().manual_seed(3), CPU, **settings)


def logits(task: Bigram, lanes: int = 1) -> torch.Tensor:
    return task.start(lanes, CPU) + torch.randn(
        lanes, *task.target.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64
    )


def test_certain_contexts_have_one_token_and_the_others_two_to_four_of_equal_weight():
    task = small(contexts=40)
    choices = (task.target > 0).sum(-1)
    assert (choices[:, :20] == 1).all() and set(choices[:, 20:].flatten().tolist()) <= {2, 3, 4}
    torch.testing.assert_close(task.target.sum(-1), torch.ones(2, 40, dtype=torch.float64))
    torch.testing.assert_close(task.frequency.max(1)[0] / task.frequency.min(1)[0], torch.full((2,), 40.0).double())


def test_hill_and_river_add_up_to_the_cross_entropy_less_its_least():
    task = small()
    theta = logits(task, lanes=3)
    hill, river = task.parts(theta)
    entropy = -(task.frequency[..., None] * task.target * task.target.clamp_min(1e-300).log()).sum((-1, -2))
    cross = -(task.frequency[..., None] * task.target * theta.log_softmax(-1)).sum((-1, -2))
    torch.testing.assert_close(hill + river, cross - entropy)
    torch.testing.assert_close(task.loss(theta[:, 1], 1), (hill + river)[:, 1])


def test_a_full_batch_step_follows_the_gradient_of_the_loss():
    task = small()
    theta = logits(task)
    leaf = theta[0, 0].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(task.loss(leaf), leaf)
    moved = task.step(theta.clone(), torch.tensor([0.7], dtype=torch.float64), None)
    torch.testing.assert_close(moved[0, 0], theta[0, 0] - 0.7 * gradient)


def test_a_sampled_step_follows_the_gradient_of_the_sampled_loss_in_every_lane():
    task = small(batch=7)
    theta, rates = logits(task, lanes=2), torch.tensor([0.5, 2.0], dtype=torch.float64)
    pairs = task.draw(torch.Generator().manual_seed(5), CPU)
    assert pairs is not None
    leaf = theta.clone().requires_grad_()
    chosen = leaf.flatten(1, 2).log_softmax(-1)[:, pairs.context, pairs.token]
    (gradient,) = torch.autograd.grad(-chosen.sum() / 7, leaf)
    moved = task.step(theta.clone(), rates, pairs)
    torch.testing.assert_close(moved, theta - rates[:, None, None, None] * gradient)


def test_samples_come_as_often_as_their_contexts_and_tokens():
    task = small(batch=200_000)
    pairs = task.draw(torch.Generator().manual_seed(6), CPU)
    assert pairs is not None
    counts = torch.bincount(pairs.context * 5 + pairs.token, minlength=60).reshape(2, 6, 5) / 200_000
    torch.testing.assert_close(counts.double(), task.frequency[..., None] * task.target, atol=5e-3, rtol=0)


def test_the_hessians_eigenpairs_are_those_of_autograd():
    task = small(contexts=4, tokens=4)
    theta = logits(task)[0, 1]
    dense = torch.autograd.functional.hessian(lambda rows: task.loss(rows, 1), theta).reshape(16, 16)
    values, _ = task.eigenpairs(theta, 1)
    torch.testing.assert_close(values.flatten().sort()[0], torch.linalg.eigvalsh(dense), atol=1e-12, rtol=1e-9)
    trace = task.frequency[1] * (1 - theta.softmax(-1).square().sum(-1))
    torch.testing.assert_close(values.sum(1), trace)
    mountains = task.mountains(theta, 3, 1)
    torch.testing.assert_close(mountains @ mountains.T, torch.eye(3, dtype=torch.float64))
    top = torch.linalg.eigvalsh(dense).flip(0)[:3]
    torch.testing.assert_close(mountains @ dense @ mountains.T, torch.diag(top), atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("batch", [None, 4])
def test_equal_generators_give_equal_tasks(batch):
    assert torch.equal(small(batch=batch).target, small(batch=batch).target)


def test_a_spectrum_names_each_eigenvalue_after_its_context():
    task = small(contexts=4, tokens=4)
    theta = logits(task)[0, 0]
    values, rank, certain = task.spectrum(theta)
    assert len(values) == 12 and sorted(set(rank.tolist())) == [0, 1, 2, 3]
    most = int(task.frequency[0].argmax())
    torch.testing.assert_close(values[rank == 0], task.eigenpairs(theta)[0][most, 1:])
    assert certain[rank == 0].tolist() == [int(task.certain[most])] * 3
