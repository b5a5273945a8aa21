"""Networks on pairs of residues equal their definition with one-hot inputs, alone and side by side."""

import pytest
import torch

from lab.data.modular import residue_pairs
from lab.models.pair_network import PairNetworks


def test_outputs_are_those_of_one_hot_inputs_for_each_network():
    model = PairNetworks(5, 7, 3, batch_norm=False, generator=torch.Generator().manual_seed(0))
    pairs, _ = residue_pairs(5)
    eye = torch.eye(5)
    for net, (u, v, w) in enumerate(zip(*model.neurons(), strict=True)):
        pre = eye[pairs[:, 0]] @ u.T + eye[pairs[:, 1]] @ v.T
        torch.testing.assert_close(model(pairs)[net], pre.square() @ w)


@pytest.mark.parametrize("own", [False, True], ids=["shared pairs", "own pairs"])
def test_gradients_by_hand_are_those_of_autograd(own: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lab.models.pair_network.PIECE", 20 * 7)  # one network at a time, twenty pairs and five
    drawn = torch.Generator().manual_seed(0)
    model = PairNetworks(5, 7, 3, batch_norm=False, generator=drawn).double()
    pairs, labels = residue_pairs(5)
    labels, share = labels.expand(3, -1), torch.rand(3, 25, generator=drawn, dtype=torch.float64)
    order = torch.stack([torch.randperm(25, generator=drawn) for _ in range(3)]) if own else torch.arange(25)
    pairs = pairs[order]
    labels = torch.take_along_dim(labels, order.expand(3, -1), 1)
    outputs = torch.stack([model(pairs[net] if own else pairs)[net] for net in range(3)])
    losses = ((outputs - torch.nn.functional.one_hot(labels, 5)).square().mean(-1) * share).sum(1)
    expected = torch.autograd.grad(losses.sum(), list(model.parameters()))
    if not own:
        torch.testing.assert_close(model.losses(pairs, labels, share), losses)
    for _ in range(2):  # the second call begins anew
        torch.testing.assert_close(model.fit(pairs, labels, share), losses.detach())
    for p, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, gradient)


def test_weights_start_with_the_standard_deviation_of_the_published_code():
    model = PairNetworks(97, 500, batch_norm=False, generator=torch.Generator().manual_seed(0))
    assert all(abs(p.std() - 0.05) < 1e-3 for p in model.parameters())


def test_batch_norm_comes_after_the_square_and_dropout_before_it():
    model = PairNetworks(5, 4, batch_norm=True, generator=torch.Generator().manual_seed(0))
    pairs, _ = residue_pairs(5)
    hidden = model.hidden(pairs)[0]
    torch.testing.assert_close(hidden.mean(0), torch.zeros(4), atol=1e-6, rtol=0)
    plain = PairNetworks(5, 4, batch_norm=False, generator=torch.Generator().manual_seed(0))
    kept = torch.zeros(25, 4)
    kept[:, 1] = 2.0
    dropped = plain.hidden(pairs, kept)[0]
    torch.testing.assert_close(dropped[:, 1], 4 * plain.hidden(pairs)[0][:, 1])
    assert not dropped[:, [0, 2, 3]].any()


def test_fitting_under_dropout_gives_the_gradients_of_the_kept_units():
    drawn = torch.Generator().manual_seed(0)
    model = PairNetworks(5, 4, 2, batch_norm=False, generator=drawn)
    pairs, labels = residue_pairs(5)
    labels, share, kept = labels.expand(2, -1), torch.full((2, 25), 1 / 25), torch.zeros(25, 4)
    kept[:, 1] = 2.0
    losses = model.fit(pairs, labels, share, kept)
    torch.testing.assert_close(losses, model.losses(pairs, labels, share, kept))
    assert model.W.grad[..., 1].any() and not model.W.grad[..., [0, 2, 3]].any()


def test_each_network_decays_by_a_factor_of_its_own():
    model = PairNetworks(5, 4, 2, batch_norm=False, generator=torch.Generator().manual_seed(0))
    before = [p.detach().clone() for p in model.parameters()]
    model.decay(torch.tensor([1.0, 0.5]))
    for old, new in zip(before, model.parameters(), strict=True):
        torch.testing.assert_close(new, old * torch.tensor([1.0, 0.5])[:, None, None])


def test_predictions_are_the_largest_outputs_of_the_units_that_are_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lab.models.pair_network.FEWEST", 7)
    monkeypatch.setattr("lab.models.pair_network.PIECE", 1)
    model = PairNetworks(5, 4, 2, batch_norm=True, generator=torch.Generator().manual_seed(0))
    pairs, _ = residue_pairs(5)
    found, kept = model.predict(pairs), torch.tensor([True, False, True, True])
    assert torch.equal(found, model.eval()(pairs).argmax(-1))
    hidden = model.hidden(pairs) * kept
    assert torch.equal(model.predict(pairs, kept), (hidden @ model.W.mT).argmax(-1))
