"""Anchor functions: with enough sequences a decoder learns a circuit of two attention edges, with few a lookup table.

Zhang et al. (2024), arXiv 2401.08309; data, model sizes and schedule after the authors' published code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from pydantic import model_validator

from lab.config import Config, ConfigError, param
from lab.decoder_experiment import DecoderExperiment
from lab.experiment import Arm, Preset, Series, action, instrument
from lab.measures.decoder_checks import ANCHOR_EDGES, has_named_edges, judge_anchor
from lab.measures.detectors import Jump
from lab.stream import Source
from lab.verdict import Verdict
from lab.views import Bars, Curves, FlowGraph, Line, PhaseDiagram, StudyLine

if TYPE_CHECKING:
    from lab.models.sequence import SequenceLSTM, SequenceMLP
    from lab.models.transformer import Transformer

VOCABULARY, POSITIONS = 201, 20


class AnchorFunctionConfig(Config):
    task: Literal["identity", "shifts", "near-synonym", "composition", "context", "reversed context"] = param(
        "identity",
        "Task",
        group="Data",
        help="identity: 3 x gives x. shifts: ten anchors, each adds its own number. near-synonym: 9 means 3 but is "
        "rare, and is tested alone. composition: two anchors, their numbers add. context: a 3 b ... a gives b; "
        "reversed: a 3 b ... b gives a.",
    )
    train_size: int = param(1000, "Training sequences", symbol="N", min=100, max=5000, group="Data", log=True)
    test_size: int = param(
        500, "Test sequences", min=50, max=5000, group="Data", help="As many training sequences are asked again."
    )
    length: int = param(9, "Tokens in a sequence", symbol="n", min=5, max=POSITIONS, group="Data")
    modulus: int = param(
        8,
        "Split modulus",
        min=2,
        max=40,
        group="Data",
        help="A key x whose block starts at p is held out where m divides x - p.",
    )
    model: Literal["decoder", "mlp", "lstm"] = param(
        "decoder", "Model", group="Model", help="The MLP sees all embeddings side by side: two hidden layers of 512."
    )
    layers: int = param(2, "Layers", symbol="L", min=1, max=6, group="Model", paper=4)
    heads: int = param(1, "Heads", symbol="H", min=1, max=8, group="Model", paper=4)
    width: int = param(64, "Width", symbol="d", min=32, max=400, group="Model", paper=400)
    head_width: int = param(32, "Width of a head", symbol="d_k", min=4, max=128, group="Model", paper=64)
    mlp_width: int = param(192, "Width of an MLP", symbol="d_ff", min=16, max=2400, group="Model", paper=1200)
    norm: Literal["post", "pre"] = param("post", "Layer norm", group="Model")
    init: Literal["gamma", "unit", "torch"] = param(
        "gamma",
        "Initialisation",
        group="Model",
        help="gamma: every matrix N(0, d_in^(-2γ)). unit: the same, but embeddings and unembedding N(0, 1). "
        "torch: its defaults. The MLP and the LSTM always start from torch's.",
        paper="torch",
    )
    gamma: float = param(0.8, "Initialisation rate", symbol="γ", min=0.3, max=1.2, group="Model")
    lr: float = param(
        2e-3, "Learning rate", symbol="η", min=1e-6, max=0.1, log=True, live=True, group="Optimiser", paper=2e-4
    )
    weight_decay: float = param(0.1, "Weight decay", min=0.0, max=2.0, live=True, group="Optimiser", paper=0.01)
    batch: int = param(100, "Batch", min=10, max=1000, group="Optimiser", paper=50)
    warmup: int = param(100, "Warm-up", unit="steps", min=0, max=1_000_000, group="Optimiser", paper=8000)
    schedule: Literal["constant", "cosine"] = param("constant", "After the warm-up", group="Optimiser", paper="cosine")
    lr_floor: float = param(
        0.0,
        "Lowest rate",
        unit="η",
        min=0.0,
        max=1.0,
        group="Optimiser",
        help="Share of η at which the warm-up starts and the cosine ends.",
        paper=0.1,
    )
    shown: int = param(0, "Shown sequence", min=0, max=4999, live=True, group="Look")
    probe: Literal["unseen", "seen"] = param(
        "unseen",
        "Sequences to look at",
        live=True,
        group="Look",
        help="Keys at positions held out from training, or training sequences: for graphs and masks.",
    )
    look_every: int = param(
        10, "Record the flow every", unit="steps", min=1, max=100_000, group="Look", help="One short forward pass."
    )
    train_masked: bool = param(
        False,
        "Train under the masks",
        live=True,
        group="Look",
        help="Off: masks act on what you look at, training goes on whole. On: it has to do without them.",
    )
    steps: int = param(1200, "Steps", min=1, max=1_000_000_000, group="Run", help="Optimiser updates.", paper=80_000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.batch > self.train_size:
            raise ValueError(f"batch {self.batch} is more than the {self.train_size} training sequences: lower it")
        most = min(self.test_size, self.train_size) if self.probe == "seen" else self.test_size
        if self.shown >= most:
            raise ValueError(f"shown sequence {self.shown} of {most}: they count from 0")
        return self


def uniform_shift(config: Any) -> float:
    """Mean of 1/(number of tokens the key sees): what its anchor gets when attention has no preference."""
    return sum(1 / (pos + 2) for pos in range(config.length - 1)) / (config.length - 1)


def has_attention(config: Any) -> bool:
    return config.model == "decoder"


def _flow(series: str, title: str, help: str) -> FlowGraph:
    return FlowGraph(
        series,
        title=title,
        help=help,
        primary=series == "attention",
        when=has_attention,
        tokens="shown_tokens",
        marks="shown_roles",
        mark_labels=("anchor", "key"),
        action="mask_edge",
        clear="clear_masks",
    )


class AnchorFunction(DecoderExperiment):
    title = "Anchor functions"
    theme = "Transformers"
    claim = "Enough sequences give a decoder a two-edge circuit that generalises; few give it a lookup table."
    paper = "Zhang, Wang, Yao, Zhou, Li, E, Xu (2024), arXiv 2401.08309"
    about = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    Config = AnchorFunctionConfig
    readings = (Series("train_loss", "Training loss of the batch", "L", "nats"),)
    views = (
        Curves(("train_loss", "test_loss"), title="Loss", y_label="cross-entropy", y_log=True),
        Curves(
            ("train_accuracy", "test_accuracy", "probe_accuracy"),
            title="Accuracy",
            help="Held-out accuracy follows when a circuit forms. Chance is 1/80: 0.04 is failure. The third curve is "
            "what is left under your masks.",
            y_label="accuracy",
            lines=(Line("reproduced", 0.95),),
        ),
        _flow("attention", "Information flow", "Click an edge to mask it; the anchor and the key are marked."),
        Bars(
            "accuracy_without",
            title="Accuracy without an edge",
            when=has_named_edges,
            help="Held-out accuracy with one edge cut, wherever its tokens stand.",
            labels=ANCHOR_EDGES,
            y_label="test accuracy",
            y_range=(0.0, 1.0),
        ),
        Curves(
            ("broadcast", "shift_attention", "shift_effect"),
            title="Broadcast and shift",
            when=has_attention,
            help="The shift shows in what its loss costs, not in its attention, which stays near uniform.",
            lines=(Line("uniform broadcast", lambda config: 1 / config.length), Line("uniform shift", uniform_shift)),
        ),
        _flow("value_weighted", "Flow weighted by values", "Attention x the length of what is moved."),
        _flow(
            "causal_effect", "Causal flow", "Log-probability of the answer lost when the edge alone is cut, in nats."
        ),
    )
    study_views = (
        StudyLine(
            "test_accuracy",
            x="train_size",
            by="model",
            title="Data efficiency",
            help="A decoder needs some hundred sequences; without attention more of them do not help.",
            y_label="test accuracy",
            y_range=(0.0, 1.0),
            lines=(Line("chance", 1 / 80),),
        ),
        PhaseDiagram(
            "test_accuracy",
            x="train_size",
            y="gamma",
            title="Circuit or lookup table",
            help="More sequences, or a smaller start: the circuit wins.",
            z_label="test accuracy",
            z_range=(0.0, 1.0),
            contours=(0.95,),
        ),
    )
    presets = {
        "demo": Preset({"seed": 1}, "Two layers of one head; a quarter of a minute of computing."),
        "paper": Preset(
            {
                "seed": 1,
                "layers": 4,
                "heads": 4,
                "width": 400,
                "head_width": 64,
                "mlp_width": 1200,
                "init": "torch",
                "lr": 2e-4,
                "weight_decay": 0.01,
                "batch": 50,
                "warmup": 8000,
                "schedule": "cosine",
                "lr_floor": 0.1,
                "look_every": 500,
                "test_size": 200,
                "steps": 80_000,
            },
            "The published sizes and schedule at N = 1000: hours on a CPU. Sweep N and seed as a study.",
        ),
    }
    arms = {
        "circuit": Arm({"train_size": 1000}, "reproduced", "Enough sequences."),
        "few-sequences": Arm({"train_size": 300}, "not reproduced", "Every training sequence is learnt by heart."),
        "mlp": Arm({"model": "mlp"}, "not reproduced", "No attention."),
        "large-init": Arm({"init": "gamma", "gamma": 0.3}, "not reproduced", "A large start memorises."),
    }
    detectors = (Jump("test_accuracy", size=0.2, window=100),)
    state = ("model", "optimizer", "batches", "masks", "probe_tokens")

    def setup(self) -> None:
        self.train = self._draw("train", self.config.train_size, held_out=False)
        self.test = self._draw("test", self.config.test_size, held_out=True)
        self.model = self._make_model().to(self.device)
        self.start_training(self.config.layers if has_attention(self.config) else 0)
        self._choose_probe()

    def cosine_steps(self) -> int | None:
        return self.config.steps if self.config.schedule == "cosine" else None

    def looked_at(self) -> Any:
        return self.probe

    def training_logits(self, rows: torch.Tensor) -> torch.Tensor:
        if not (self.config.train_masked and self.masks):
            return super().training_logits(rows)
        with self.masks.on(self.model, self.roles(self.train, rows)):
            return super().training_logits(rows)

    def _draw(self, name: str, count: int, *, held_out: bool) -> Any:
        """Sequences of the task on the device, from a generator of their own: N changes no test sequence."""
        from lab.data import anchor

        config, generator = self.config, self.generator("data", name)
        if config.task.endswith("context"):
            order = "abab" if config.task == "context" else "abba"
            sizes = {"length": config.length, "modulus": config.modulus}
            drawn = anchor.draw_context(count, generator, held_out=held_out, order=order, **sizes)
        else:
            weights = None
            if config.task == "near-synonym":
                weights = {(9,): 1.0} if held_out else {(3,): 0.95, (9,): 0.05}
            drawn = anchor.draw_sequences(self._task(), count, generator, held_out=held_out, weights=weights)
        return drawn.to(self.device)

    def _task(self) -> Any:
        from lab.data.anchor import PRIMITIVES, SINGLE_SHIFTS, AnchorTask, composite_offsets

        offsets = {
            "shifts": SINGLE_SHIFTS,
            "near-synonym": {(3,): 0, (9,): 0},
            "composition": composite_offsets(PRIMITIVES),
        }.get(self.config.task, {(3,): 0})
        return AnchorTask(offsets, self.config.length, self.config.modulus)

    def _make_model(self) -> Transformer | SequenceMLP | SequenceLSTM:
        """All three answer by ``predict``."""
        from lab.models.sequence import SequenceLSTM, SequenceMLP
        from lab.models.transformer_init import GROUPS, normal_init

        config, generator = self.config, self.generator("init")
        if config.model == "mlp":
            return SequenceMLP(VOCABULARY, config.length, generator, width=config.width)
        if config.model == "lstm":
            return SequenceLSTM(VOCABULARY, generator, width=config.width)
        model = self.decoder(VOCABULARY, POSITIONS)
        if config.init != "torch":
            rates: dict[str, float] = dict.fromkeys(GROUPS, float(config.gamma))
            if config.init == "unit":
                rates["embedding"] = 0.0
            normal_init(model, generator, gamma=rates)
        return model

    def _decoder(self) -> Transformer | None:
        """The model where it has attention to look at."""
        from lab.models.transformer import Transformer

        return self.model if isinstance(self.model, Transformer) else None

    def _choose_probe(self) -> None:
        self.probe = self.test if self.config.probe == "unseen" else self.train.rows(slice(self.config.test_size))
        self.probe_tokens = self.probe.tokens

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        if "probe" in changed:
            self._choose_probe()

    def roles(self, sequences: Any, rows: Any = slice(None)) -> dict[str, torch.Tensor]:
        """Anchor, key and last token. Of two anchors the one beside the key counts."""
        key = sequences.key[rows]
        return {
            "anchor": sequences.anchors[rows, -1],
            "key": key,
            "last": torch.full_like(key, self.config.length - 1),
        }

    @action("Replace the noise tokens", help="Of the sequences looked at; keys, anchors and answers stay.")
    def redraw_noise(self) -> None:
        from lab.data import anchor

        if self.config.task.endswith("context"):
            raise ConfigError({"redraw_noise": "the last token of a context task is part of the question"})
        redrawn = anchor.redraw_noise(self._task(), self.probe.to("cpu"), self.generator("data", "noise"))
        self.probe_tokens = redrawn.tokens.to(self.device)

    @instrument(
        every=50,
        exact=True,
        series=(
            Series("train_accuracy", "Training accuracy", statistic="over as many sequences as the test"),
            Series("test_accuracy", "Test accuracy", statistic="held-out sequences"),
            Series("test_loss", "Test loss", "L", "nats"),
            Series("probe_accuracy", "Accuracy of the chosen sequences under the masks"),
        ),
    )
    def accuracies(self) -> tuple[float, float, torch.Tensor, float]:
        from lab.measures.ablation import last_token_accuracy

        train = self.train.rows(slice(self.config.test_size))
        with torch.no_grad():
            logits = self.model.predict(self.test.tokens)
            test_loss = torch.nn.functional.cross_entropy(logits, self.test.labels)
        test = (logits.argmax(-1) == self.test.labels).double().mean().item()
        seen = last_token_accuracy(self.model, train.tokens, train.labels)
        if not self.masks:
            for known, accuracy in ((self.test, test), (train, seen)):  # the same sequences, whole: nothing new to ask
                if torch.equal(self.probe_tokens, known.tokens):
                    return seen, test, test_loss, accuracy
        with self.masks.on(self.model, self.roles(self.probe)):
            return seen, test, test_loss, last_token_accuracy(self.model, self.probe_tokens, self.probe.labels)

    @instrument(
        every=100,
        exact=True,
        series=(
            Series("broadcast", "Broadcast", "A[last, key]", statistic="top layer, strongest head, mean over test"),
            Series("shift_attention", "Shift by attention", "A[key, anchor]", statistic="layer 0, the same"),
        ),
    )
    def reading(self) -> tuple[float, float] | None:
        model = self._decoder()
        if model is None:
            return None
        from lab.measures.attention import attention_between, attention_maps

        roles = self.roles(self.test)
        maps = attention_maps(model, self.test.tokens)
        broadcast = attention_between(maps[-1], roles["last"], roles["key"]).mean(0).max().item()
        return broadcast, attention_between(maps[0], roles["key"], roles["anchor"]).mean(0).max().item()

    @instrument(
        every=100,
        exact=True,
        series=(
            Series("accuracy_without", "Test accuracy without one edge", statistic=", ".join(ANCHOR_EDGES)),
            Series("shift_effect", "Shift by effect", statistic="test accuracy lost without 0: key ← anchor"),
        ),
    )
    def cuts(self) -> tuple[list[float], float] | None:
        """Of the circuit that the edges are named after: two layers of one head."""
        model = self._decoder()
        if model is None or not has_named_edges(self.config):
            return None
        from lab.measures.ablation import accuracy_without
        from lab.models.attention import Edge

        anchor, key, last = self.roles(self.test).values()
        pairs = ((0, key, anchor), (0, key, key), (0, last, anchor), (0, last, key), (1, last, key))
        edges = {"whole": [], **{name: [Edge(*pair)] for name, pair in zip(ANCHOR_EDGES, pairs, strict=True)}}
        whole, *left = accuracy_without(model, self.test.tokens, self.test.labels, edges).values()
        return left, whole - left[0]

    @instrument(
        every="look_every",
        series=(
            Series("shown_tokens", "Tokens of the shown sequence"),
            Series("shown_roles", "Positions of its anchor and key"),
            Series(
                "attention", "Attention", "A", statistic="[layer, head, reading token, token read], under the masks"
            ),
            Series("value_weighted", "Attention x value", "A ‖v W_O‖", statistic="as attention"),
        ),
    )
    def flow(self) -> tuple[torch.Tensor, ...] | None:
        model = self._decoder()
        if model is None:
            return None
        from lab.measures.information_flow import value_norm_weights

        row = slice(self.config.shown, self.config.shown + 1)
        tokens, roles = self.probe_tokens[row], self.roles(self.probe, row)
        with torch.no_grad(), self.masks.on(model, roles):
            trace = model.trace(tokens)
            weighted = value_norm_weights(model, trace)[:, 0]
        marks = torch.cat((roles["anchor"], roles["key"]))
        return tokens[0], marks, torch.stack(trace.pattern)[:, 0], weighted

    @instrument(
        "Causal effect", every=100, optional=True, unit="nats", statistic="[layer, head, reading token, token read]"
    )
    def causal_effect(self) -> torch.Tensor | None:
        """Over up to 32 sequences whose key stands where that of the shown one does, under the masks."""
        model = self._decoder()
        if model is None:
            return None
        from lab.measures.information_flow import causal_edge_effects

        alike = (self.probe.key == self.probe.key[self.config.shown]).nonzero()[:32, 0]
        with self.masks.on(model, self.roles(self.probe, alike)):
            effects = causal_edge_effects(model, self.probe_tokens[alike], self.probe.labels[alike])
        return effects.float()

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return judge_anchor(config, run)
