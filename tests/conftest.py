"""Settings that every test shares: one torch thread, and nothing written outside the test's own folder."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("PYQTGRAPH_QT_LIB", "PySide6")

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """Two threads on two shared cores run 5-56 times slower than one."""
    import torch

    torch.set_num_threads(1)
