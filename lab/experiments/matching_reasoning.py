"""Matching: a transformer that reasons along a chain asks for exactly what an earlier layer stored.

Wang et al. (2024), arXiv 2405.15302. The matching formulas are ours, from the abstract; see lab.measures.matching.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from pydantic import model_validator

from lab.config import Config, numbers, param
from lab.decoder_experiment import DecoderExperiment
from lab.experiment import Arm, Preset, Series, instrument
from lab.measures.decoder_checks import CHAIN_EDGES, judge_matching
from lab.measures.detectors import Jump
from lab.panels import matching_reasoning as panels
from lab.stream import Source
from lab.verdict import Verdict

if TYPE_CHECKING:
    from lab.models.transformer import Transformer

TRACED = 256  # test sequences whose attention is read


class MatchingReasoningConfig(Config):
    kind: Literal["single", "double", "noised", "counted"] = param(
        "single",
        "Chains",
        group="Data",
        help="single: one chain of pairs, then the query. double: two chains. noised: two, each with a false pair into "
        "it, asked to the chain's end. counted: the number of hops stands after the query.",
    )
    edges: int = param(4, "Pairs in a chain", symbol="K", min=2, max=9, group="Data", paper=6)
    hops: int = param(2, "Hops", symbol="m", min=1, max=9, group="Data", help="counted: every number up to it.")
    token_low: int = param(20, "Lowest token", min=10, max=80, group="Data")
    token_high: int = param(59, "Highest token", min=24, max=199, group="Data", paper=99)
    split: bool = param(
        True, "Hold pairs out", group="Data", help="Training and test chains share every token and no ordered pair."
    )
    train_size: int = param(20_000, "Training sequences", min=1000, max=200_000, log=True, group="Data", paper=9000)
    test_size: int = param(
        1000, "Test sequences", min=50, max=10_000, group="Data", help="As many training sequences are asked again."
    )
    layers: int = param(3, "Layers", symbol="L", min=1, max=6, group="Model")
    heads: int = param(1, "Heads", symbol="H", min=1, max=8, group="Model")
    width: int = param(64, "Width", symbol="d", min=32, max=400, group="Model", paper=400)
    head_width: int = param(64, "Width of a head", symbol="d_k", min=4, max=128, group="Model")
    mlp_width: int = param(128, "Width of an MLP", symbol="d_ff", min=16, max=2400, group="Model", paper=1200)
    norm: Literal["post", "pre"] = param("post", "Layer norm", group="Model")
    gamma: float = param(
        0.8,
        "Initialisation rate",
        symbol="γ",
        min=0.2,
        max=1.2,
        group="Model",
        help="Every matrix is N(0, d_in^(-2γ)): the larger γ, the smaller the start.",
        paper=1.0,
    )
    noise: Literal["off", "qk", "vo", "both"] = param(
        "off",
        "Matching noise",
        group="Noise",
        help="One random Z of a layer pair is added to W^vo and to the next W^qk.",
    )
    alpha: float = param(0.05, "Strength on W^qk", symbol="α", min=0.0, max=0.5, live=True, group="Noise")
    beta: float = param(0.05, "Strength on W^vo", symbol="β", min=0.0, max=0.5, live=True, group="Noise")
    noise_trained: bool = param(True, "Train α and β", group="Noise", help="Then the knobs only set them anew.")
    noise_pairs: str = param(
        "",
        "Layers with noise",
        group="Noise",
        help="Of each pair of neighbours the first, counted from 0, such as 0 2. Empty: all of them.",
    )
    lr: float = param(
        2e-3, "Learning rate", symbol="η", min=1e-6, max=0.1, log=True, live=True, group="Optimiser", paper=1e-4
    )
    weight_decay: float = param(0.1, "Weight decay", min=0.0, max=2.0, live=True, group="Optimiser", paper=0.01)
    batch: int = param(256, "Batch", min=10, max=1000, group="Optimiser", paper=100)
    warmup: int = param(400, "Warm-up", unit="steps", min=0, max=1_000_000, group="Optimiser", paper=36_000)
    cosine: int = param(3600, "Cosine after it", unit="steps", min=1, max=10_000_000, group="Optimiser", paper=360_000)
    lr_floor: float = param(0.0, "Lowest rate", unit="η", min=0.0, max=1.0, group="Optimiser", paper=0.1)
    shown: int = param(0, "Shown sequence", min=0, max=9999, live=True, group="Look")
    asked_hops: int = param(
        0,
        "Hops to ask for besides",
        symbol="m'",
        min=0,
        max=9,
        live=True,
        group="Look",
        help="Held-out sequences of another number of hops, beyond those that are trained. 0: none.",
    )
    look_every: int = param(10, "Record the flow every", unit="steps", min=1, max=100_000, group="Look")
    steps: int = param(1500, "Steps", min=1, max=1_000_000_000, group="Run", help="Optimiser updates.", paper=360_000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.hops > self.edges:
            raise ValueError(f"{self.hops} hops in a chain of {self.edges} pairs: set at most as many hops as pairs")
        tokens = max(0, self.token_high - self.token_low + 1)
        needed = 2 * self.edges + 4 if self.kind in ("double", "noised") else self.edges + 1
        if tokens < 3 * needed:
            raise ValueError(f"{tokens} tokens are too few for sequences with {needed} different ones: widen the range")
        if self.shown >= self.test_size:
            raise ValueError(f"shown sequence {self.shown} of {self.test_size}: they count from 0")
        if self.batch > self.train_size:
            raise ValueError(f"batch {self.batch} is more than the {self.train_size} training sequences: lower it")
        if self.asked_hops > self.edges:
            raise ValueError(f"{self.asked_hops} hops to ask for in a chain of {self.edges} pairs: ask for fewer")
        if self.noise != "off" and self.layers < 2:
            raise ValueError("matching noise joins adjacent layers: set at least 2 layers, or noise off")
        if self.noise != "off" and not set(self.pairs_with_noise()) <= set(range(self.layers - 1)):
            raise ValueError(f"noise_pairs: {self.layers} layers have pairs 0 to {self.layers - 2}")
        return self

    def pairs_with_noise(self) -> tuple[int, ...]:
        """Pairs of neighbouring layers that have noise, by their first layer."""
        return numbers("noise_pairs", self.noise_pairs, int) or tuple(range(self.layers - 1))

    @property
    def length(self) -> int:
        """Tokens in a sequence: its pairs, the query and what else the kind adds."""
        chains, more = {"single": (1, 1), "counted": (1, 2), "double": (2, 1), "noised": (2, 5)}[self.kind]
        return 2 * chains * self.edges + more


class MatchingReasoning(DecoderExperiment):
    title = "Matching and multi-step reasoning"
    theme = "Transformers"
    claim = (
        "Small initialisation and post-LayerNorm make layers match; a network that matches reasons along new chains."
    )
    paper = "Wang, Wang, Zhang, Zhou, Jin, Hu, Sun, Li, Zhang, Xu (2024), arXiv 2405.15302"
    about = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    Config = MatchingReasoningConfig
    readings = (Series("train_loss", "Training loss of the batch", "L", "nats"),)
    views, study_views = panels.VIEWS, panels.STUDY_VIEWS
    presets = {
        "demo": Preset({}, "Two hops along four pairs, three layers of one head."),
        "counted": Preset(
            {"kind": "counted", "edges": 4, "hops": 3, "layers": 4, "steps": 3000},
            "One to three hops, the number given. The claim says nothing about it.",
            claimed=False,
        ),
        "paper": Preset(
            {
                "edges": 6,
                "token_high": 99,
                "train_size": 9000,
                "width": 400,
                "mlp_width": 1200,
                "lr": 1e-4,
                "weight_decay": 0.01,
                "batch": 100,
                "warmup": 36_000,
                "cosine": 360_000,
                "lr_floor": 0.1,
                "look_every": 1000,
                "test_size": 100,
                "steps": 360_000,
            },
            "Sizes and schedule of the authors' published recipe: a day on a CPU.",
        ),
    }
    arms = {
        "post-small": Arm({"norm": "post", "gamma": 0.8}, "reproduced", "", {"paper": {"gamma": 1.0}}),
        "pre-small": Arm({"norm": "pre", "gamma": 0.8}, "not reproduced", "", {"paper": {"gamma": 1.0}}),
        "post-large": Arm({"norm": "post", "gamma": 0.3}, "not reproduced", "", {"paper": {"gamma": 0.5}}),
        "pre-large": Arm({"norm": "pre", "gamma": 0.3}, "not reproduced", "", {"paper": {"gamma": 0.5}}),
        "two-layers": Arm({"layers": 2}, "not reproduced", "Two hops exceed what two layers can reach."),
    }
    detectors = (Jump("test_accuracy", size=0.2, window=100),)

    def setup(self) -> None:
        from lab.measures.matching import reach_by_hops, unseen_embeddings

        config = self.config
        self.train = self._draw("train", config.train_size, held_out=False)
        self.test = self._draw("test", config.test_size, held_out=True)
        self.asked: dict[int, Any] = {}
        self._ask()
        self.model = self._make_model().to(self.device)
        self.start_training(config.layers)
        count = config.token_high - config.token_low + 1
        self.unseen = unseen_embeddings(count, config.width, self.generator("data", "unseen")).to(self.device)
        self.in_order = self.test.in_order()
        self.reach = reach_by_hops(config.layers, self.test.rows(slice(TRACED)), sorted(set(self.test.steps.tolist())))

    def cosine_steps(self) -> int | None:
        return self.config.cosine

    def looked_at(self) -> Any:
        return self.test

    def _draw(self, name: str, count: int, *, held_out: bool, hops: int = 0) -> Any:
        from lab.data.chain import draw_chains

        config = self.config
        drawn = draw_chains(
            count,
            self.generator("data", name),
            kind=config.kind,
            edges=config.edges,
            steps=hops or (list(range(1, config.hops + 1)) if config.kind == "counted" else config.hops),
            tokens=(config.token_low, config.token_high),
            held_out=held_out if config.split else None,
        )
        return drawn.to(self.device)

    def _make_model(self) -> Transformer:
        from lab.models.matching_noise import add_matching_noise, strengths
        from lab.models.transformer_init import normal_init

        config = self.config
        model = self.decoder(config.token_high + 1, config.length)
        normal_init(model, self.generator("init"), gamma=config.gamma)
        if config.noise != "off":
            alpha = config.alpha if config.noise in ("qk", "both") else 0.0
            beta = config.beta if config.noise in ("vo", "both") else 0.0
            noise = self.generator("init", "noise")
            add_matching_noise(model, noise, alpha=alpha, beta=beta, trainable=config.noise_trained)
            for side, at in (("qk", "alpha"), ("vo", "beta")):
                chosen = config.pairs_with_noise() if config.noise in (side, "both") else ()
                for pair, strength in enumerate(strengths(model, at)):
                    if pair not in chosen:
                        strength.requires_grad_(False).zero_()
        return model

    def _strengths(self) -> dict[str, list[torch.nn.Parameter]]:
        """α and β of the layers that have a neighbour for them, of the noise that is on."""
        from lab.models.matching_noise import strengths

        sides = {"off": (), "qk": ("alpha",), "vo": ("beta",), "both": ("alpha", "beta")}[self.config.noise]
        return {name: strengths(self.model, name) for name in sides}

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        with torch.no_grad():
            for name, found in self._strengths().items():
                for pair in self.config.pairs_with_noise() if name in changed else ():
                    found[pair].fill_(changed[name][1])
        self._ask()

    def _ask(self) -> None:
        """Draw the sequences that are asked besides, the same ones whenever their number of hops comes back."""
        hops = self.config.asked_hops
        if hops and hops not in self.asked:
            self.asked[hops] = self._draw(f"asked {hops}", self.config.test_size, held_out=True, hops=hops)

    def roles(self, sequences: Any, rows: Any = slice(None)) -> dict[str, torch.Tensor]:
        """The query, and the queried chain's pairs counted from the one that begins with it; -1 where there is none."""
        return sequences.rows(rows).roles(counted=self.config.kind == "counted")

    @instrument(
        every=50,
        exact=True,
        series=(
            Series("train_accuracy", "Training accuracy", statistic="over as many sequences as the test"),
            Series("test_accuracy", "Test accuracy", statistic="held-out sequences"),
            Series("masked_accuracy", "Test accuracy under the masks"),
            Series("accuracy_by_order", "Test accuracy by order", statistic="needed pairs in order, out of order"),
            Series("accuracy_by_hops", "Test accuracy by hops", statistic="0 where no sequence asks for so many"),
        ),
    )
    def accuracies(self) -> tuple[float, float, float, list[float], list[float]]:
        from lab.measures.ablation import last_token_accuracy

        train, test = self.train.rows(slice(self.config.test_size)), self.test
        with torch.no_grad():
            right = self.model.predict(test.tokens).argmax(-1) == test.labels
        whole = right.double().mean().item()
        masked = whole
        if self.masks:
            with self.masks.on(self.model, self.roles(test)):
                masked = last_token_accuracy(self.model, test.tokens, test.labels)
        by_order = [_mean(right[self.in_order]), _mean(right[~self.in_order])]
        by_hops = [_mean(right[test.steps == hops]) for hops in self.reach[0]]
        return last_token_accuracy(self.model, train.tokens, train.labels), whole, masked, by_order, by_hops

    @instrument("Test accuracy at the hops asked besides", every=50, statistic="held-out sequences")
    def asked_accuracy(self) -> float | None:
        from lab.measures.ablation import last_token_accuracy

        asked = self.asked.get(self.config.asked_hops)
        return None if asked is None else last_token_accuracy(self.model, asked.tokens, asked.labels)

    @instrument(
        "Test accuracy with part of the noise", every=100, statistic="none of it, on W^qk alone, on W^vo alone, all"
    )
    def accuracy_by_noise(self) -> list[float] | None:
        """Of the same weights: what each side of the noise is worth to them now."""
        if self.config.noise == "off":
            return None
        from lab.measures.ablation import last_token_accuracy
        from lab.models.matching_noise import without_noise

        found = []
        for removed in (("alpha", "beta"), ("beta",), ("alpha",), ()):
            with without_noise(self.model, *removed):
                found.append(last_token_accuracy(self.model, self.test.tokens, self.test.labels))
        return found

    @instrument(
        every=10**9,
        series=(
            Series("hop_count", "Hops", "m"),
            Series("reach_both", "Within reach, merging on both sides", statistic="share of the test sequences"),
            Series("reach_one", "Within reach, merging on one side", statistic="share of the test sequences"),
            Series("key_token", "Token"),
        ),
    )
    def reachable(self) -> tuple[list[float] | list[int], ...]:
        return *self.reach, list(range(self.config.token_low, self.config.token_high + 1))

    @instrument(
        every=50,
        exact=True,
        series=(
            Series("matching_score", "Matching score", "M(h)", statistic="kernels of layers 1 to L - 1, head 0"),
            Series("matching_share", "Rows that match themselves best", statistic="the same kernels"),
            Series("unseen_score", "Matching score of unseen vectors", "M_unseen(h)", statistic="the same kernels"),
            Series("diagonal_strength", "Diagonal over spread of the kernels"),
            Series("matching_1", "Matching matrix of layer 1", "h"),
            Series("matching_2", "Matching matrix of layer 2", "h"),
            Series("unseen_1", "Layer 1 on unseen vectors", "h"),
        ),
    )
    def matching(self) -> tuple[torch.Tensor | None, ...] | None:
        if self.config.layers < 2:
            return None
        from lab.measures import matching

        kernels = matching.matching_kernels(self.model)
        with torch.no_grad():
            tokens = self.model.embedding.weight[self.config.token_low : self.config.token_high + 1]
            seen = matching.matching_matrix(kernels, matching.normalised_embeddings(tokens))
            unseen = matching.matching_matrix(kernels, self.unseen)
        return (
            matching.matching_score(seen),
            matching.matching_share(seen),
            matching.matching_score(unseen),
            matching.diagonal_strength(kernels),
            seen[0],
            seen[1] if len(seen) > 1 else None,
            unseen[0],
        )

    @instrument(
        every=100,
        exact=True,
        series=(
            Series(
                "hops", "Attention along the chain", "A", statistic=f"{', '.join(CHAIN_EDGES)}, ...: strongest head"
            ),
            Series("accuracy_without", "Test accuracy without the edge", statistic=", ".join(CHAIN_EDGES)),
        ),
    )
    def circuit(self) -> tuple[list[float], list[float]]:
        """The pairs' copies in layer 0, then what the last token reads in each later layer: one hop further on."""
        from lab.measures.ablation import accuracy_without
        from lab.measures.attention import attention_between, attention_maps
        from lab.models.attention import Edge

        some = self.test.rows(slice(TRACED))
        maps = attention_maps(self.model, some.tokens)
        last = torch.full_like(some.start, self.config.length - 1)
        firsts = range(0, self.config.length - 1 - (self.config.kind == "counted"), 2)
        copies = torch.stack([maps[0, :, :, first + 1, first].mean(0) for first in firsts]).mean(0)
        attention = [copies.max().item()]
        edges = {CHAIN_EDGES[0]: [Edge(0, first + 1, first) for first in firsts]}
        for layer in range(1, self._hop_layers()):
            attention.append(attention_between(maps[layer], last, some.node(layer)).mean(0).max().item())
            target = torch.full_like(self.test.start, self.config.length - 1)
            edges[f"layer {layer}"] = [Edge(layer, target, self.test.node(layer))]
        shown = dict(list(edges.items())[: len(CHAIN_EDGES)])
        left = list(accuracy_without(self.model, self.test.tokens, self.test.labels, shown).values())
        return attention, left + [math.nan] * (len(CHAIN_EDGES) - len(left))

    def _hop_layers(self) -> int:
        """One past the last layer whose hop every sequence has."""
        hops = 1 if self.config.kind == "counted" else self.config.hops
        return min(hops + 1, self.config.layers)

    @instrument(
        every="look_every",
        series=(
            Series("shown_tokens", "Tokens of the shown sequence"),
            Series("shown_chain", "Positions of its first two needed pairs"),
            Series(
                "attention", "Attention", "A", statistic="[layer, head, reading token, token read], under the masks"
            ),
        ),
    )
    def flow(self) -> tuple[torch.Tensor, ...]:
        from lab.measures.attention import attention_maps

        row = slice(self.config.shown, self.config.shown + 1)
        shown = self.test.rows(row)
        with self.masks.on(self.model, self.roles(shown)):
            pattern = attention_maps(self.model, shown.tokens)[:, 0]
        marks = [shown.node(hop)[0] for hop in range(1, min(2, int(shown.steps[0])) + 1)]
        marks += marks[-1:] * (2 - len(marks))
        return shown.tokens[0], torch.stack([at for node in marks for at in (node - 1, node)]), pattern

    @instrument("Strength of the noise", every=50, symbol="α, β", statistic="by layer and head: first α, then β")
    def noise_strength(self) -> torch.Tensor | None:
        found = [strength.detach() for side in self._strengths().values() for strength in side]
        return torch.cat(found) if found else None

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return judge_matching(config, run)


def _mean(right: torch.Tensor) -> float:
    """Share of True; 0 of none."""
    return right.double().mean().item() if len(right) else 0.0
