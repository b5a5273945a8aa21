"""The decoder agrees with a forward pass written out by hand, and ablation takes away exactly what it says."""

import math
from itertools import product

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import layer_norm

from lab.models.architecture import Architecture
from lab.models.attention import Ablation, Edge
from lab.models.matching_noise import NoisyAttention, add_matching_noise
from lab.models.transformer import Transformer
from lab.models.transformer_init import equivalent_gamma, matrices, normal_init


def decoder(seed: int = 0, dtype: torch.dtype = torch.float64, **choices: object) -> Transformer:
    sizes = {"vocabulary": 11, "positions": 8, "width": 12, "layers": 2, "heads": 3, "head_width": 5, "mlp_width": 7}
    return Transformer(Architecture(**(sizes | choices)), torch.Generator().manual_seed(seed), dtype=dtype)


def some_tokens(batch: int = 4, length: int = 6) -> torch.Tensor:
    return torch.randint(11, (batch, length), generator=torch.Generator().manual_seed(1))


def turned(x: torch.Tensor, position: int) -> torch.Tensor:
    """One vector under rotary positions, pair by pair."""
    half = len(x) // 2
    out = x.clone()
    for i in range(half):
        angle = position * 10_000.0 ** (-2 * i / len(x))
        out[i] = x[i] * math.cos(angle) - x[i + half] * math.sin(angle)
        out[i + half] = x[i] * math.sin(angle) + x[i + half] * math.cos(angle)
    return out


def by_hand(
    model: Transformer, sequence: torch.Tensor, cut: set[tuple[int, int, int, int]] = frozenset()
) -> torch.Tensor:
    """Logits of one sequence with loops over layers, heads and tokens; ``cut`` holds (layer, head, target, source)."""
    a, n, d_k = model.architecture, len(sequence), model.architecture.d_k
    norm = lambda x, at: layer_norm(x, (a.width,), at.weight, at.bias)  # noqa: E731 - a formula
    x = model.embedding.weight[sequence]
    if model.position is not None:
        x = x + model.position.weight[:n]
    for layer, block in enumerate(model.blocks):
        at = block.attention
        y = norm(x, block.attention_norm) if a.norm == "pre" else x
        rows = []
        for t in range(n):
            heads = []
            for h in range(a.heads):
                part = slice(h * d_k, (h + 1) * d_k)
                q, k, v = (y @ w[part].T for w in (at.query_weight, at.key_weight, at.value_weight))
                if at.qkv.bias is not None:
                    q, k, v = (z + b[part] for z, b in zip((q, k, v), at.qkv.bias.view(3, -1), strict=True))
                if a.position == "rotary":
                    q = torch.stack([turned(q[s], s) for s in range(n)])
                    k = torch.stack([turned(k[s], s) for s in range(n)])
                weights = torch.stack([(q[t] @ k[s] / math.sqrt(d_k)).exp() for s in range(t + 1)])
                weights = weights / weights.sum()
                kept = [s for s in range(t + 1) if (layer, h, t, s) not in cut]
                heads.append(sum((weights[s] * v[s] for s in kept), torch.zeros(d_k, dtype=v.dtype)))
            rows.append(torch.cat(heads) @ at.output.weight.T + (0 if at.output.bias is None else at.output.bias))
        x = x + torch.stack(rows)
        x = x if a.norm == "pre" else norm(x, block.attention_norm)
        y = norm(x, block.mlp_norm) if a.norm == "pre" else x
        x = x + block.mlp_out(block.activation(block.mlp_in(y)))
        x = x if a.norm == "pre" else norm(x, block.mlp_norm)
    if a.norm == "pre":
        x = norm(x, model.final_norm)
    bias = model.tied_bias if model.unembedding is None else model.unembedding.bias
    return x @ model.unembedding_weight.T + (0 if bias is None else bias)


CHOICES = [
    {"norm": norm, "position": position, "tied": tied, "bias": bias, "head_width": 4 if position == "rotary" else 5}
    for norm, (position, tied, bias) in product(
        ("post", "pre"), (("learned", False, False), ("rotary", True, True), ("none", False, True))
    )
]


@pytest.mark.parametrize("choices", CHOICES, ids=lambda c: f"{c['norm']}-{c['position']}")
def test_forward_trace_and_last_token_agree_with_loops(choices):
    model, tokens = decoder(**choices), some_tokens()
    hand = torch.stack([by_hand(model, row) for row in tokens])
    torch.testing.assert_close(model(tokens), hand, rtol=0, atol=1e-12)
    torch.testing.assert_close(model.trace(tokens).logits, hand, rtol=0, atol=1e-12)
    torch.testing.assert_close(model.predict(tokens), hand[:, -1], rtol=0, atol=1e-12)


def test_a_decoder_may_answer_by_one_number_instead_of_logits():
    model, tokens = decoder(outputs=1), some_tokens()
    assert model(tokens).shape == (4, 6, 1)
    torch.testing.assert_close(model.predict(tokens)[0], by_hand(model, tokens[0])[-1], rtol=0, atol=1e-12)


def test_the_last_tokens_gradient_is_that_of_the_whole_pass():
    model, tokens = decoder(norm="pre", bias=True, position="rotary", head_width=4), some_tokens()
    whole = torch.autograd.grad(model(tokens)[:, -1].square().sum(), list(model.parameters()))
    short = torch.autograd.grad(model.predict(tokens).square().sum(), list(model.parameters()))
    for a, b in zip(whole, short, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


@pytest.mark.parametrize("choices", CHOICES, ids=lambda c: f"{c['norm']}-{c['position']}")
def test_many_small_models_run_as_one(choices):
    models, tokens = [decoder(seed, **choices) for seed in range(3)], some_tokens()
    stacked = {name: torch.stack([m.state_dict()[name] for m in models]) for name in models[0].state_dict()}
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # the fused kernel runs the models one by one under vmap
        together = torch.func.vmap(lambda weights: torch.func.functional_call(models[0], weights, (tokens,)))(stacked)
        torch.testing.assert_close(together, torch.stack([m(tokens) for m in models]), rtol=0, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("choices", CHOICES, ids=lambda c: f"{c['norm']}-{c['position']}")
def test_the_gpu_agrees_with_the_cpu(choices):
    model, tokens = decoder(dtype=torch.float32, **choices), some_tokens()
    edges = (Edge(0, torch.tensor([1, 2, 3, 4]), 0), Edge(1, 5, 2, head=1))
    whole, plain = model(tokens), model.predict(tokens)
    model.ablation = Ablation(edges, heads=frozenset({(1, 0)}))
    cut = model(tokens)
    model.cuda()
    torch.testing.assert_close(model(tokens.cuda()).cpu(), cut, rtol=1e-4, atol=1e-4)
    model.ablation = Ablation()
    torch.testing.assert_close(model(tokens.cuda()).cpu(), whole, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.predict(tokens.cuda()).cpu(), plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_no_token_depends_on_a_later_one(norm):
    model, tokens = decoder(norm=norm), some_tokens()
    changed = tokens.clone()
    changed[:, 4:] = (tokens[:, 4:] + 1) % 11
    torch.testing.assert_close(model(tokens)[:, :4], model(changed)[:, :4], rtol=0, atol=1e-13)
    assert (model(tokens)[:, 4:] - model(changed)[:, 4:]).abs().min() > 0


def test_padding_on_the_right_changes_nothing_before_it():
    model, tokens = decoder(), some_tokens()
    padded = torch.cat((tokens, torch.zeros(4, 2, dtype=torch.int64)), dim=1)
    torch.testing.assert_close(model(padded)[:, :6], model(tokens), rtol=0, atol=1e-13)


def test_weights_come_from_the_generator_alone():
    state = torch.get_rng_state()
    first, again, other = decoder(3), decoder(3), decoder(4)
    assert torch.equal(torch.get_rng_state(), state)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
    assert not torch.equal(first.embedding.weight, other.embedding.weight)


def test_a_cut_edge_equals_the_row_with_that_summand_removed():
    model, tokens = decoder(), some_tokens()
    model.ablation = Ablation((Edge(0, 3, 1, head=2), Edge(1, 5, 3)))
    cut = {(0, 2, 3, 1)} | {(1, h, 5, 3) for h in range(3)}
    hand = torch.stack([by_hand(model, row, cut) for row in tokens])
    torch.testing.assert_close(model(tokens), hand, rtol=0, atol=1e-12)
    torch.testing.assert_close(model.predict(tokens), hand[:, -1], rtol=0, atol=1e-12)


def test_an_edge_may_stand_elsewhere_in_each_sequence():
    model, tokens = decoder(), some_tokens(3)
    target, source = torch.tensor([2, 5, 4]), torch.tensor([0, 5, 1])
    model.ablation = Ablation((Edge(1, target, source, head=0),))
    for row, (t, s) in enumerate(zip(target.tolist(), source.tolist(), strict=True)):
        hand = by_hand(model, tokens[row], {(1, 0, t, s)})
        torch.testing.assert_close(model(tokens)[row], hand, rtol=0, atol=1e-12)


def test_a_renormalised_row_sums_to_one_and_a_row_cut_whole_stays_zero():
    model, tokens = decoder(), some_tokens()
    model.ablation = Ablation((Edge(0, 3, 1), Edge(0, 0, 0)), renormalise=True)
    sums = model.trace(tokens).pattern[0].sum(-1)
    torch.testing.assert_close(sums[..., 1:], torch.ones_like(sums[..., 1:]))
    assert (sums[..., 0] == 0).all()
    assert not model.trace(tokens).pattern[0][0, 0, 0].isnan().any()


def test_cutting_every_edge_of_a_head_is_silencing_it():
    model, tokens = decoder(), some_tokens()
    model.ablation = Ablation(tuple(Edge(1, t, s, head=1) for t in range(6) for s in range(t + 1)))
    cut = model(tokens)
    model.ablation = Ablation(heads=frozenset({(1, 1)}))
    torch.testing.assert_close(model(tokens), cut, rtol=0, atol=1e-13)
    assert (model.trace(tokens).head_output[1][:, 1] == 0).all()


def test_a_silent_mlp_equals_one_with_zero_weights():
    model, tokens = decoder(norm="pre"), some_tokens()
    model.ablation = Ablation(mlps=frozenset({0}))
    silent = model(tokens)
    model.ablation = Ablation()
    with torch.no_grad():
        model.blocks[0].mlp_out.weight.zero_()
    torch.testing.assert_close(model(tokens), silent, rtol=0, atol=1e-13)


def test_gradients_flow_past_a_cut_edge_but_not_through_it():
    model, tokens = decoder(layers=1), some_tokens(1)
    model.ablation = Ablation(tuple(Edge(0, 5, s) for s in range(5)), renormalise=True)
    embedded = model.embed(tokens).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model.unembed(model.run_layers(embedded))[0, 5].sum(), embedded)
    assert gradient[0, 5].abs().max() > 0
    assert gradient[0, :5].abs().max() < 1e-12


def test_hessian_vector_products_work_under_the_math_kernel():
    model, tokens = decoder(), some_tokens()
    parameters = list(model.parameters())
    with sdpa_kernel(SDPBackend.MATH):
        gradients = torch.autograd.grad(model.predict(tokens).square().mean(), parameters, create_graph=True)
        product_ = torch.autograd.grad(sum(g.sum() for g in gradients), parameters)
    assert all(value.isfinite().all() for value in product_)


def test_matrices_have_the_asked_spread():
    model = decoder(dtype=torch.float32, width=96, head_width=32, mlp_width=128, vocabulary=101, positions=64)
    rates = {"embedding": 0.4, "qk": 0.6, "vo": 0.8, "mlp": 1.0}
    normal_init(model, torch.Generator().manual_seed(0), gamma=rates)
    for name, group, weight in matrices(model):
        expected = weight.shape[1] ** -rates[group]
        assert abs(weight.std().item() / expected - 1) < 3 / math.sqrt(2 * weight.numel()), name


def test_residual_scaling_and_fixed_spread():
    model = decoder(width=96, head_width=32, mlp_width=128, bias=True)
    normal_init(model, torch.Generator().manual_seed(0), std=0.02, residual_scaling="both", zero_bias=True)
    block = model.blocks[1]
    assert block.mlp_out.weight.std().item() == pytest.approx(0.02 / 2, rel=0.05)
    assert block.attention.output.weight.std().item() == pytest.approx(0.02 / 2, rel=0.05)
    assert block.mlp_in.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert block.mlp_in.bias.abs().max() == 0
    normal_init(model, torch.Generator().manual_seed(0), std=0.02, residual_scaling="mlp")
    assert model.blocks[1].attention.output.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_the_equivalent_rate_of_gpt2s_spread_falls_with_width():
    assert [round(equivalent_gamma(0.02, d), 2) for d in (64, 256, 1024, 2560)] == [0.94, 0.71, 0.56, 0.5]


def test_torchs_own_spread_is_the_start():
    model = decoder(dtype=torch.float32, width=100, vocabulary=200)
    assert model.embedding.weight.std().item() == pytest.approx(1, rel=0.03)
    assert model.unembedding.weight.abs().max().item() == pytest.approx(0.1, rel=0.01)


def test_a_head_reads_and_writes_through_its_two_matrices():
    model, tokens = decoder(layers=1), some_tokens()
    x, trace = model.embed(tokens), model.trace(tokens)
    for head in range(3):
        scores = x @ model.blocks[0].attention.qk_matrix(head) @ x.transpose(1, 2)
        later = torch.ones(6, 6, dtype=torch.bool).triu(1)
        pattern = scores.masked_fill(later, -torch.inf).softmax(-1)
        torch.testing.assert_close(trace.pattern[0][:, head], pattern, rtol=0, atol=1e-12)
        written = pattern @ x @ model.blocks[0].attention.vo_matrix(head)
        torch.testing.assert_close(trace.head_output[0][:, head], written, rtol=0, atol=1e-12)


def test_matching_noise_of_strength_zero_changes_nothing():
    model, tokens = decoder(layers=3), some_tokens()
    before = model(tokens)
    add_matching_noise(model, torch.Generator().manual_seed(5), alpha=0, beta=0)
    torch.testing.assert_close(model(tokens), before, rtol=0, atol=1e-12)


def test_matching_noise_adds_one_matrix_to_both_neighbours():
    model, tokens = decoder(layers=2), some_tokens()
    plain = [[block.attention.qk_matrix(1), block.attention.vo_matrix(1)] for block in model.blocks]
    add_matching_noise(model, torch.Generator().manual_seed(5), alpha=0.3, beta=0.2)
    (qk0, vo0), (qk1, vo1) = ([b.attention.qk_matrix(1), b.attention.vo_matrix(1)] for b in model.blocks)
    z = (vo0 - plain[0][1]) / 0.2
    torch.testing.assert_close(qk1 - plain[1][0], 0.3 * z, rtol=0, atol=1e-12)
    assert torch.equal(qk0, plain[0][0]) and torch.equal(vo1, plain[1][1])
    assert z.std().item() == pytest.approx(12**-0.5, rel=0.15)
    # the forward pass is that of the changed matrices
    trace, read = model.trace(tokens), None
    for layer, block in enumerate(model.blocks):
        read = trace.residual[layer]
        scores = read @ block.attention.qk_matrix(1) @ read.transpose(1, 2)
        pattern = scores.masked_fill(torch.ones(6, 6, dtype=torch.bool).triu(1), -torch.inf).softmax(-1)
        torch.testing.assert_close(trace.pattern[layer][:, 1], pattern, rtol=0, atol=1e-12)
        written = pattern @ read @ block.attention.vo_matrix(1)
        torch.testing.assert_close(trace.head_output[layer][:, 1], written, rtol=0, atol=1e-12)
    torch.testing.assert_close(trace.head_output[1].sum(1), trace.attention_output[1], rtol=0, atol=1e-12)
    torch.testing.assert_close(model.predict(tokens), trace.logits[:, -1], rtol=0, atol=1e-12)
    torch.testing.assert_close(model(tokens), trace.logits, rtol=0, atol=1e-12)


def test_matching_noise_trains_one_number_per_head_and_adjacent_pair():
    model = decoder(layers=3)
    add_matching_noise(model, torch.Generator().manual_seed(5))
    trained = {name for name, p in model.named_parameters() if p.requires_grad and name.endswith(("alpha", "beta"))}
    assert trained == {
        f"blocks.{at}" for at in ("0.attention.beta", "1.attention.alpha", "1.attention.beta", "2.attention.alpha")
    }
    assert all(isinstance(block.attention, NoisyAttention) for block in model.blocks)
    with pytest.raises(ValueError, match="already"):
        add_matching_noise(model, torch.Generator())
    with pytest.raises(ValueError, match="adjacent"):
        add_matching_noise(decoder(layers=1), torch.Generator())


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(0, 6, dtype=torch.int64), r"\(0, 6\)"),
        (torch.zeros(2, 0, dtype=torch.int64), r"\(2, 0\)"),
        (torch.zeros(6, dtype=torch.int64), r"\(6,\)"),
        (torch.zeros(2, 9, dtype=torch.int64), "9 tokens, 8 positions"),
        (torch.full((1, 2), 11), "0 to 10|has 11"),
    ],
)
def test_impossible_tokens_are_refused_with_their_numbers(tokens, message):
    with pytest.raises(ValueError, match=message):
        decoder().trace(tokens)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"width": 10, "head_width": None}, "width 10 is no multiple of 3"),
        ({"position": "rotary"}, "head_width 5 is odd"),
        ({"norm": "both"}, "'both'"),
        ({"position": "sine"}, "'sine'"),
        ({"activation": "swish"}, "'swish'"),
        ({"heads": 0}, "heads is 0"),
        ({"layers": -1}, "layers is -1"),
        ({"outputs": 0}, "d_out is 0"),
        ({"outputs": 1, "tied": True}, "outputs is 1: a tied unembedding has one for each of 11 tokens"),
    ],
)
def test_impossible_architectures_are_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        decoder(**choices)


@pytest.mark.parametrize(
    ("ablation", "message"),
    [
        (Ablation((Edge(2, 0, 0),)), "layers 0 to 1"),
        (Ablation(heads=frozenset({(0, 3)})), "heads 0 to 2"),
        (Ablation(mlps=frozenset({-1})), "layer -1"),
    ],
)
def test_ablating_what_the_model_lacks_is_refused(ablation, message):
    model = decoder()
    with pytest.raises(ValueError, match=message):
        model.ablation = ablation
    assert not model.ablation


def test_an_edge_outside_the_sequence_or_for_another_batch_is_refused():
    model, tokens = decoder(), some_tokens()
    model.ablation = Ablation((Edge(0, 6, 0),))
    with pytest.raises(ValueError, match="6 in sequences of 6"):
        model(tokens)
    model.ablation = Ablation((Edge(0, torch.tensor([1, 2]), 0),))
    with pytest.raises(ValueError, match="each of 4 rows"):
        model(tokens)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"gamma": {"qk": 1.0}}, "qk"), ({"std": -1.0}, "-1.0"), ({"residual_scaling": "all"}, "'all'")],
)
def test_impossible_initialisations_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        normal_init(decoder(), torch.Generator(), **options)
