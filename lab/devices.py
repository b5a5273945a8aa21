"""Which devices of this machine a run can compute on."""

from __future__ import annotations

import torch

from lab.config import ConfigError


def check_device(name: str) -> None:
    """Raises ConfigError, with what can be used instead, where this machine has no such device."""
    kind, _, index = name.partition(":")
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind in there and int(index or 0) >= there[kind]:
        known = [f"{k}:{i}" if k == "cuda" else k for k, count in there.items() for i in range(count)]
        raise ConfigError({"": f"This machine has no device {name}. It has: {', '.join(known)}. Choose one of them."})
