"""Mini-batches that go through the data in a new random order each epoch, and can be resumed in the middle of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class EpochBatches:
    """Row numbers of one batch after another; rows that do not fill a batch wait for the next epoch's order.

    Args:
        count: Rows N.
        batch: Rows in a batch B.
        generator: Draws the orders; its state belongs to the run.

    Raises:
        ValueError: The batch is larger than the data.
    """

    def __init__(self, count: int, batch: int, generator: torch.Generator) -> None:
        if not 1 <= batch <= count:
            raise ValueError(f"batch of {batch} from {count} rows: it must be from 1 to {count}")
        self._count, self._batch, self._generator = count, batch, generator
        self._order, self._used = torch.empty(0, dtype=torch.int64), 0

    def take(self) -> Tensor:
        """The next batch's row numbers, (B,)."""
        if self._used + self._batch > len(self._order):
            self._order, self._used = torch.randperm(self._count, generator=self._generator), 0
        rows = self._order[self._used : self._used + self._batch]
        self._used += self._batch
        return rows

    def state_dict(self) -> dict[str, Any]:
        return {"order": self._order, "used": self._used}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._order, self._used = state["order"].cpu(), int(state["used"])
