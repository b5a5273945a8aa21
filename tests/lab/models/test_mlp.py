"""The MLP family draws what it says, from the generator it is given."""

import math
import pickle

import pytest
import torch

from lab.models.mlp import ACTIVATIONS, MLP, draw_uniform, fan_in_std, neurons_of, put_neurons
from lab.models.residual_mlp import ResidualBlock


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_equal_generators_give_equal_networks_and_the_global_one_is_left_alone():
    before = torch.get_rng_state()
    first, second = (MLP((3, 5, 2), bias_std=0.1, generator=seeded()) for _ in range(2))
    block = ResidualBlock(4, "relu", 2.0, generator=seeded())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert torch.isfinite(block.linear.weight).all()
    assert torch.equal(torch.get_rng_state(), before)


def test_float32_and_float64_networks_start_from_the_same_numbers():
    single, double = (MLP((3, 5, 2), generator=seeded(), dtype=d) for d in (torch.float32, torch.float64))
    for a, b in zip(single.parameters(), double.parameters(), strict=True):
        assert torch.equal(a, b.float())


def test_a_network_can_be_sent_to_another_process():
    model, block = MLP((3, 5, 2), "x_tanh", generator=seeded()), ResidualBlock(3, "linear", 1.0, generator=seeded())
    x = torch.randn(4, 3, generator=seeded(1))
    for network in (model, block):
        torch.testing.assert_close(pickle.loads(pickle.dumps(network))(x), network(x))


@pytest.mark.parametrize("gamma", [0.5, 1.0])
def test_gamma_sets_the_standard_deviation_and_not_the_variance(gamma):
    weight = MLP((400, 300, 1), weight_std=fan_in_std(gamma), generator=seeded()).layers[0].weight.detach()
    assert float(weight.std()) == pytest.approx(400**-gamma, rel=3 / math.sqrt(2 * weight.numel()))


def test_one_number_for_all_layers_and_biases_initialises_a_condensation_study():
    std = 50.0**-4
    model = MLP((5, 50, 1), output_bias=False, weight_std=std, bias_std=std, generator=seeded(), dtype=torch.float64)
    flat = torch.cat([p.flatten() for p in model.parameters()])
    assert flat.numel() == 50 * 5 + 50 + 50
    assert float(flat.detach().std()) == pytest.approx(std, rel=0.15)


def test_bias_switches_choose_which_layers_have_one():
    model = MLP((2, 3, 1), hidden_bias=False, output_bias=True, generator=seeded())
    assert [layer.bias is not None for layer in model.layers] == [False, True]


def test_the_blocks_compose_to_the_network_and_are_written_out_correctly():
    model = MLP((3, 4, 4, 2), "x_tanh", bias_std=0.3, generator=seeded(), dtype=torch.float64)
    x = torch.randn(6, 3, generator=seeded(1), dtype=torch.float64)
    h = x
    for block in model.blocks():
        h = block(h)
    z = x @ model.layers[0].weight.T + model.layers[0].bias
    for layer in list(model.layers)[1:]:
        z = (z * z.tanh()) @ layer.weight.T + layer.bias
    torch.testing.assert_close(model(x), z)
    torch.testing.assert_close(h, z)


@pytest.mark.parametrize(
    ("name", "at_one"),
    [
        ("linear", 1.0),
        ("tanh", math.tanh(1)),
        ("x_tanh", math.tanh(1)),
        ("x2_tanh", math.tanh(1)),
        ("relu", 1.0),
        ("sigmoid", 1 / (1 + math.exp(-1))),
        ("softplus", math.log(1 + math.e)),
        ("gelu", 0.5 * (1 + math.erf(math.sqrt(0.5)))),
        ("erf", math.erf(1)),
    ],
)
def test_an_activation_is_the_function_of_its_name(name, at_one):
    assert float(ACTIVATIONS[name](torch.tensor(1.0, dtype=torch.float64))) == pytest.approx(at_one, rel=1e-12)


def test_the_tanh_family_has_multiplicity_one_two_and_three_at_zero():
    z = torch.tensor(1e-3, dtype=torch.float64)
    for power, name in enumerate(("tanh", "x_tanh", "x2_tanh"), start=1):
        assert float(ACTIVATIONS[name](z)) == pytest.approx(1e-3**power, rel=1e-5)


def test_bad_settings_are_named_with_the_remedy():
    with pytest.raises(ValueError, match=r"unknown activation 'swsh'.*tanh"):
        MLP((2, 2), "swsh")
    with pytest.raises(ValueError, match="widths"):
        MLP((3,))
    with pytest.raises(ValueError, match="standard deviation"):
        MLP((2, 2), weight_std=-1.0)
    with pytest.raises(ValueError, match="'none', 'pre' or 'post'"):
        ResidualBlock(2, "relu", 1.0, norm="both")  # pyright: ignore[reportArgumentType] - the wrong word is the point


@pytest.mark.parametrize("norm", ["none", "pre", "post"])
def test_a_residual_block_is_its_formula(norm):
    block = ResidualBlock(6, "erf", 1.3, 0.2, mu=0.7, norm=norm, generator=seeded(), dtype=torch.float64)
    h = torch.randn(4, 6, generator=seeded(1), dtype=torch.float64)

    def normalised(z):
        return (z - z.mean(-1, keepdim=True)) / torch.sqrt(z.var(-1, keepdim=True, unbiased=False) + 1e-5)

    signal = torch.erf(normalised(h) if norm == "pre" else h)
    signal = normalised(signal) if norm == "post" else signal
    torch.testing.assert_close(block(h), signal @ block.linear.weight.T + block.linear.bias + 0.7 * h)


def test_a_uniform_draw_has_the_bounds_of_torchs_own_and_scales_weights_alone():
    model = MLP((100, 400, 1), "sin", generator=torch.Generator().manual_seed(0))
    draw_uniform(model.layers, torch.Generator().manual_seed(1), scale=3.0)
    first, own = model.layers[0].requires_grad_(False), torch.nn.Linear(100, 400).requires_grad_(False)
    assert float(first.weight.std()) == pytest.approx(3 * float(own.weight.std()), rel=0.02)
    assert float(first.weight.abs().max()) <= 0.3 and float(first.bias.abs().max()) <= 0.1
    assert float(first.bias.std()) == pytest.approx(float(own.bias.std()), rel=0.15)


def test_neurons_can_be_taken_out_and_put_back_and_adam_forgets_those_that_are_zero():
    model = MLP((2, 3, 1), output_bias=False, bias_std=1.0, generator=seeded())
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(4, 2)).square().sum().backward()
    optimizer.step()
    rows, out = neurons_of(model)
    assert rows.shape == (3, 3) and out.shape == (3,)
    kept = torch.tensor([1.0, 0.0, 1.0])
    put_neurons(model, rows * kept[:, None], out * kept, optimizer)
    assert torch.equal(neurons_of(model)[0], rows * kept[:, None]) and torch.equal(neurons_of(model)[1], out * kept)
    first, last = model.layers
    assert not optimizer.state[first.weight]["exp_avg"][1].any() and optimizer.state[first.weight]["exp_avg"][0].any()
    assert not optimizer.state[last.weight]["exp_avg_sq"][:, 1].any()
