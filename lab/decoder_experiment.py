"""What experiments share that train a network on the last token of sequences and let its attention edges be cut."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from lab.also import AlsoMeasure
from lab.experiment import action
from lab.optimizers import drop_gradients
from lab.warmup import warmup_share

if TYPE_CHECKING:
    from lab.measures.directions import Params
    from lab.measures.landscape import Loss
    from lab.models.transformer import Transformer


class DecoderExperiment(AlsoMeasure):
    """AdamW with warm-up on clipped gradients, and masks on attention.

    A subclass sets ``model``, ``train`` (sequences with tokens, labels and rows) and calls :meth:`start_training` in
    its ``setup``; its config has the knobs that are read here.
    """

    state = ("model", "optimizer", "batches", "masks")
    also_samples = 64  # a second derivative of attention takes its time
    model: Any
    train: Any

    def start_training(self, masked_layers: int) -> None:
        """Make optimiser, batches and masks for a model that is there."""
        from lab.data.batches import EpochBatches
        from lab.measures.role_masks import RoleMasks

        config = self.config
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=config.lr, fused=True)
        self.batches = EpochBatches(config.train_size, config.batch, self.generator("order"))
        self.masks = RoleMasks(masked_layers, config.heads, config.length)

    def decoder(self, vocabulary: int, positions: int) -> Transformer:
        """A decoder of the config's sizes, as torch draws its own."""
        from lab.models.architecture import Architecture
        from lab.models.transformer import Transformer

        config = self.config
        sizes = (config.width, config.layers, config.heads, config.head_width, config.mlp_width)
        return Transformer(Architecture(vocabulary, positions, *sizes, norm=config.norm), self.generator("init"))

    def step(self) -> Mapping[str, Any]:
        config = self.config
        rows = self.batches.take().to(self.device)
        share = warmup_share(self.now, warmup=config.warmup, floor=config.lr_floor, cosine=self.cosine_steps())
        for group in self.optimizer.param_groups:
            group.update(lr=config.lr * share, weight_decay=config.weight_decay)
        loss = torch.nn.functional.cross_entropy(self.training_logits(rows), self.train.labels[rows])
        drop_gradients(self.optimizer)
        loss.backward()
        # the optimiser's list spares a walk through the modules, foreach a call for each tensor: 2 % of a step
        torch.nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], 1.0, foreach=True)
        self.optimizer.step()
        return {"train_loss": loss}

    def training_logits(self, rows: torch.Tensor) -> torch.Tensor:
        """What the model says to some training sequences, (B, V)."""
        return self.model.predict(self.train.tokens[rows])

    def objective(self) -> tuple[Loss, Params]:
        """The loss without masks."""

        def criterion(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(logits[:, -1] if logits.ndim == 3 else logits, labels)

        return self.loss_of(self.model, criterion, self.train.tokens, self.train.labels)

    @abstractmethod
    def cosine_steps(self) -> int | None:
        """Length of the cosine after the warm-up; None keeps the rate."""

    @abstractmethod
    def looked_at(self) -> Any:
        """The sequences whose attention is shown and masked."""

    @abstractmethod
    def roles(self, sequences: Any, rows: Any = slice(None)) -> dict[str, torch.Tensor]:
        """Positions of what an edge can be named after, (B,) each; -1 where there is none."""

    @action("Mask an edge", help="Cuts one attention edge of the shown sequence, or gives it back.")
    def mask_edge(self, layer: int, target: int, source: int, head: int | None = None) -> None:
        """What a token stands for is meant, wherever it stands; see lab.measures.role_masks."""
        self.masks.toggle_edge(layer, target, source, head, roles=self.roles(self.looked_at()), row=self.config.shown)

    @action("Mask a head", help="Silences a head, or gives it back.")
    def mask_head(self, layer: int, head: int) -> None:
        self.masks.toggle_head(layer, head)

    @action("Clear all masks")
    def clear_masks(self) -> None:
        self.masks.clear()
