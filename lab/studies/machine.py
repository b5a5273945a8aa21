"""What this machine has to give to the workers of a study: cores, memory, and GPUs by their free memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

WORKER_BYTES = 600 * 2**20  # a process with torch and a small network holds about half of it
GPU_BYTES = 2 * 2**30  # CUDA's own context takes a quarter of it


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def free_memory() -> int | None:
    """Bytes that new processes may take, by what the system and the container allow; None where neither says."""
    limits = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        limits += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
        most = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if most.isdecimal():
            limits.append(int(most) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, ValueError):
        pass  # not Linux, or not in a container of this kind
    return min(limits, default=None)


def free_gpu_memory() -> list[int]:
    """Free bytes of each CUDA device; empty without one, or without the package of the extra ``gpu``."""
    try:
        import pynvml  # pyright: ignore[reportMissingImports] - the package of the extra gpu

        pynvml.nvmlInit()
    except Exception:  # no package, no driver or no device: each has an error of its own
        return []
    try:
        devices = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return [int(pynvml.nvmlDeviceGetMemoryInfo(device).free) for device in devices]
    finally:
        pynvml.nvmlShutdown()


def worker_devices(device: str, runs: int, *, threads: int = 1, workers: int | None = None) -> list[str]:
    """The device of each worker process; as many as cores, memory and runs allow, or ``workers`` of them.

    Args:
        device: What runs ask for; ``cuda`` stands for all GPUs, shared by their free memory.
        runs: How many there are to do at once at most.
        threads: CPU threads that each run computes with.
    """
    memory = free_memory()
    fits = max(1, cores() // threads)
    if memory is not None:
        fits = max(1, min(fits, memory // WORKER_BYTES))
    count = workers or min(fits, max(runs, 1))
    if device != "cuda":
        return [device] * count
    free = free_gpu_memory() or [GPU_BYTES]
    shares = sorted(
        (-(room // GPU_BYTES - taken), i) for i, room in enumerate(free) for taken in range(room // GPU_BYTES)
    )
    slots = [f"cuda:{i}" for _, i in shares] or ["cuda:0"]  # the emptiest device first
    return [slots[i % len(slots)] for i in range(count if workers else min(count, len(slots)))]
