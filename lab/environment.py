"""What a run ran on: Python, packages, processor, GPU, system, git commit, command line. Recorded with every run."""

import functools
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "training-dynamics-lab",
    "torch",
    "numpy",
    "h5py",
    "pydantic",
    "PySide6-Essentials",
    "pyqtgraph",
    "matplotlib",
)


@functools.cache
def app_version() -> str:
    """Version of the installed app, or "0+source" when run from a folder."""
    try:
        return metadata.version("training-dynamics-lab")
    except metadata.PackageNotFoundError:
        return "0+source"


def describe(device: str) -> dict[str, Any]:
    """Everything as plain JSON values. ``device`` decides whether the GPU is asked for its name."""
    import torch

    return {
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "torch_build": torch.__version__,
        "cuda": torch.version.cuda,
        "gpu": torch.cuda.get_device_name() if device.startswith("cuda") else None,
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "os": platform.platform(),
        "git": _git(),
        "command_line": sys.argv,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@functools.cache
def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


@functools.cache
def _git() -> dict[str, Any] | None:
    """Commit of the folder the app runs from and whether it differs from it; None outside a checkout."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return None
    try:
        commit = _ask_git(here, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_ask_git(here, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _ask_git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
