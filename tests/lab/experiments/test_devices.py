"""Nothing that an experiment computes on a GPU meets a tensor of the processor; checked on machines without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils import backend_registration

CASES = {
    "experiments": Path(__file__).with_name("on_a_pretended_gpu.py"),
    "graphs": Path(__file__).with_name("graphs_on_a_pretended_gpu.py"),
}


@pytest.mark.skipif(  # never with CI's torch: only those before 2.10, which we also support, lack the means
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this torch cannot be given a device from Python",
)
@pytest.mark.parametrize("cases", CASES.values(), ids=list(CASES))
def test_every_experiment_computes_on_a_gpu_what_it_does_on_the_processor(cases: Path):
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", str(cases)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stdout[-12_000:] + ended.stderr[-2000:]
