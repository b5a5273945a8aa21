"""Which devices of this machine a run can compute on."""

from __future__ import annotations

import torch

from lab.config import ConfigError


def devices() -> list[tuple[str, str]]:
    """What ``Request.device`` takes here and what a person calls it; last, with an empty name, why there is no GPU."""
    count = torch.cuda.device_count()
    found = [("cpu", "CPU"), *((f"cuda:{index}", torch.cuda.get_device_name(index)) for index in range(count))]
    return found if count else [*found, ("", why_no_gpu())]


def why_no_gpu() -> str:
    """Why torch computes on the CPU alone, and what would change that."""
    if torch.backends.mps.is_available():
        return "No GPU: Apple's has no double precision, which the measures need"
    if torch.version.cuda is None and torch.version.hip is None:
        return "No GPU: torch is installed without CUDA; pytorch.org names the one with it"
    return "No GPU: torch finds none; is a driver installed, and does CUDA_VISIBLE_DEVICES hide it?"


def check_device(name: str) -> None:
    """Raises ConfigError, with what can be used instead, where this machine has no such device."""
    known = [device for device, _ in devices() if device]
    if name in known or (name == "cuda" and len(known) > 1):
        return
    why = f" {why_no_gpu()}." if name.startswith("cuda") and len(known) == 1 else ""
    raise ConfigError(
        {"": f"This machine has no device {name!r}. It has: {', '.join(known)}. Choose one of them.{why}"}
    )
