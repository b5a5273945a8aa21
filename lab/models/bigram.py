"""Next-token tables: certain contexts make a river, uncertain ones its walls.

After Wen et al. 2024, arXiv 2410.05192.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lab.models.valley import Parts


class Pairs(NamedTuple):
    """Sampled contexts, counted through all replicates, and their next tokens; shape (replicates · batch,) each."""

    context: Tensor
    token: Tensor


class Bigram:
    """Softmax regression with one row of logits per context, q_i = softmax(Θ_i), on several replicates of the task.

    A replicate has context frequencies π_i ~ 1/rank^zipf, randomly permuted, and next-token distributions p_i: one
    token for the first contexts (certain), uniform over 2, 3 or 4 tokens for the others. Logits have the shape
    (..., replicates, contexts, tokens); losses leave out the irreducible Σ π_i H(p_i).

    Args:
        generator: Draws the tasks, on the CPU.
        contexts: V.
        tokens: K >= 4.
        certain: Share of contexts with one next token.
        zipf: Exponent of the frequencies; 0 makes all contexts as frequent.
        replicates: Independent tasks.
        batch: Pairs a step; None for the population's gradient.
    """

    def __init__(
        self,
        generator: torch.Generator,
        device: torch.device,
        *,
        contexts: int = 200,
        tokens: int = 10,
        certain: float = 0.5,
        zipf: float = 1.0,
        replicates: int = 3,
        batch: int | None = 64,
    ) -> None:
        self.batch = batch
        count = round(certain * contexts)
        ranks = torch.arange(1, contexts + 1, dtype=torch.float64) ** -zipf
        frequency = torch.stack([ranks[torch.randperm(contexts, generator=generator)] for _ in range(replicates)])
        choices = torch.randint(2, 5, (replicates, contexts), generator=generator)
        choices[:, :count] = 1
        order = torch.rand(replicates, contexts, tokens, generator=generator).argsort(-1)
        target = (order < choices[..., None]).double() / choices[..., None]
        self.certain = (torch.arange(contexts) < count).to(device)
        self.frequency = (frequency / frequency.sum(1, keepdim=True)).to(device)
        self.target = target.to(device)
        self._log_target = torch.where(self.target > 0, self.target.log(), 0.0)
        # samples come from the CPU's generator, so their tables stay there
        self._context_steps = (frequency / frequency.sum(1, keepdim=True)).cumsum(1)
        self._token_steps = target.cumsum(2)
        self._offset = torch.arange(replicates)[:, None] * contexts

    def start(self, lanes: int, device: torch.device) -> Tensor:
        """Zeros, shape (lanes, replicates, contexts, tokens)."""
        return torch.zeros(lanes, *self.target.shape, dtype=torch.float64, device=device)

    def draw(self, generator: torch.Generator, device: torch.device) -> Pairs | None:
        """The pairs of one step, the same for every lane; None for the full batch."""
        if self.batch is None:
            return None
        uniform = torch.rand(2, len(self._offset), self.batch, generator=generator, dtype=torch.float64)
        last = self._context_steps.shape[1] - 1  # a cumulative sum may end a rounding below 1
        context = torch.searchsorted(self._context_steps, uniform[0], right=True).clamp_(max=last)
        context = (context + self._offset).flatten()
        steps = self._token_steps.flatten(0, 1)[context]
        token = torch.searchsorted(steps, uniform[1].flatten()[:, None], right=True)[:, 0]
        return Pairs(context.to(device), token.clamp_(max=steps.shape[1] - 1).to(device))

    def step(self, theta: Tensor, lr: Tensor, draw: Pairs | None) -> Tensor:
        """One step of gradient descent, in place. ``theta`` (lanes, ...), ``lr`` (lanes,)."""
        if draw is None:
            gradient = self.frequency[..., None] * (theta.softmax(-1) - self.target)
            return theta.sub_(lr[:, None, None, None] * gradient)
        rows = theta.view(len(theta), -1, theta.shape[-1])  # replicates and contexts in one axis
        error = rows.index_select(1, draw.context).softmax(-1)
        error[:, torch.arange(len(draw.token), device=theta.device), draw.token] -= 1
        rows.index_add_(1, draw.context, error * (lr[:, None, None] / -(self.batch or 1)))
        return theta

    def point(self, theta: Tensor) -> Tensor:
        """The logits of the first lane and replicate, shape (contexts, tokens)."""
        return theta[0, 0]

    def parts(self, theta: Tensor) -> Parts:
        """Σ π_i KL(p_i || q_i) over the uncertain contexts (hill) and over the certain ones (river)."""
        divergence = (self.target * (self._log_target - theta.log_softmax(-1))).sum(-1) * self.frequency
        river = divergence @ self.certain.double()
        return Parts(divergence.sum(-1) - river, river)

    def loss(self, theta: Tensor, replicate: int = 0) -> Tensor:
        """Excess population loss of one replicate's logits (..., contexts, tokens), shape (...)."""
        log_ratio = self._log_target[replicate] - theta.log_softmax(-1)
        return ((self.target[replicate] * log_ratio).sum(-1) * self.frequency[replicate]).sum(-1)

    def eigenpairs(self, theta: Tensor, replicate: int = 0) -> tuple[Tensor, Tensor]:
        """The exact Hessian's, block by block: π_i (diag(q_i) - q_i q_iᵀ) for every context.

        Args:
            theta: Logits of one replicate, shape (contexts, tokens).

        Returns:
            Eigenvalues, ascending in each context, shape (contexts, tokens), and eigenvectors as columns, shape
            (contexts, tokens, tokens). The first eigenvalue of a context is 0: a shift of its logits changes nothing.
        """
        values, vectors = torch.linalg.eigh(self._blocks(theta, replicate))
        return values, vectors

    def _blocks(self, theta: Tensor, replicate: int) -> Tensor:
        """π_i (diag(q_i) - q_i q_iᵀ), shape (contexts, tokens, tokens)."""
        q = theta.softmax(-1)
        return self.frequency[replicate][:, None, None] * (torch.diag_embed(q) - q[:, :, None] * q[:, None, :])

    def spectrum(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Eigenvalues of the first replicate's Hessian, but for the zero of each context, shape (contexts · (K - 1),).

        Returns:
            The eigenvalues; for each, its context's rank by frequency, from 0, and 1 for a certain context, else 0.
        """
        values = torch.linalg.eigvalsh(self._blocks(theta, 0))[:, 1:]
        ranks = self.frequency[0].argsort(descending=True, stable=True).argsort()
        context, certain = (part[:, None].expand_as(values).flatten() for part in (ranks, self.certain))
        return values.flatten(), context, certain.to(torch.uint8)

    def mountains(self, theta: Tensor, count: int, replicate: int = 0) -> Tensor:
        """The Hessian's ``count`` top eigenvectors in the space of all logits, shape (count, contexts · tokens)."""
        values, vectors = self.eigenpairs(theta, replicate)
        top = values.flatten().argsort(descending=True)[:count]
        context, index = top // values.shape[1], top % values.shape[1]
        full = torch.zeros(len(top), *values.shape, dtype=values.dtype, device=values.device)
        full[torch.arange(len(top), device=values.device), context] = vectors[context, :, index]
        return full.flatten(1)
