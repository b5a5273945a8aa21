"""The logit lens ends at the logits, and the parts of the stream add up to it."""

import pytest
import torch

from lab.measures.ablation import ablated
from lab.measures.residual_stream import logit_lens, logit_parts, residual_parts
from lab.models.architecture import Architecture
from lab.models.attention import Edge
from lab.models.transformer import Transformer

TOKENS = torch.randint(11, (3, 5), generator=torch.Generator().manual_seed(1))


def decoder(**choices: object) -> Transformer:
    sizes = {"vocabulary": 11, "positions": 8, "width": 8, "layers": 3, "heads": 2}
    model = Transformer(Architecture(**(sizes | choices)), torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():  # norms away from 1 and 0, as after training
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(2))
                module.bias.uniform_(-1, 1, generator=torch.Generator().manual_seed(3))
    return model


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("tied", [False, True])
def test_the_lens_at_the_last_layer_is_the_logits(norm, tied):
    model = decoder(norm=norm, tied=tied)
    trace = model.trace(TOKENS)
    lens = logit_lens(model, trace)
    assert lens.shape == (4, 3, 5, 11)
    assert torch.equal(lens[-1], trace.logits)
    torch.testing.assert_close(lens[0], model.unembed(model.embed(TOKENS)))


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("position", ["learned", "none"])
def test_parts_sum_to_what_the_unembedding_reads(norm, bias, position):
    model = decoder(norm=norm, bias=bias, position=position)
    trace = model.trace(TOKENS)
    total = sum(residual_parts(model, trace).values())
    torch.testing.assert_close(total, model.final_norm(trace.residual[-1]), rtol=0, atol=1e-10)


def test_parts_of_an_ablated_pass_sum_to_that_pass_and_the_silent_head_has_none():
    model = decoder(norm="pre")
    with ablated(model, heads=[(1, 0)], mlps=[2], edges=[Edge(0, 4, 1)]):
        trace = model.trace(TOKENS)
    parts = residual_parts(model, trace)
    torch.testing.assert_close(sum(parts.values()), model.final_norm(trace.residual[-1]), rtol=0, atol=1e-10)
    assert parts["1.0"].abs().max() == 0 and parts["2.mlp"].abs().max() == 0


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_logit_parts_sum_to_the_logit_without_its_bias(norm):
    model, token = decoder(norm=norm), torch.tensor([3, 0, 10])
    trace = model.trace(TOKENS)
    logit = trace.logits[torch.arange(3), -1, token] - model.unembedding.bias[token]
    torch.testing.assert_close(sum(logit_parts(model, trace, token).values()), logit, rtol=0, atol=1e-10)


def test_without_norm_biases_each_pre_norm_part_is_what_the_component_wrote():
    model = decoder(norm="pre", layers=1)
    trace = model.trace(TOKENS)
    parts, stream = residual_parts(model, trace), trace.residual[-1]
    spread = (stream.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    written = trace.head_output[0][:, 1]
    expected = (written - written.mean(-1, keepdim=True)) / spread * model.final_norm.weight
    torch.testing.assert_close(parts["0.1"], expected)
