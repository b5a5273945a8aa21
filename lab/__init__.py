"""The science: experiments, measures, engine. No Qt; only hosts.py knows of run files.

Importing torch takes seconds and holds the interpreter lock, and the window needs none of it to list experiments, build forms,
draw stored runs and judge them. So inside ``lab`` a plain ``import torch`` is lazy: the module is loaded when something of it is
first used. Experiment files keep torch out of module level (import models and measures inside ``setup``); a test says so
when one does not.
"""

import importlib.util
import sys
import threading


def _make_torch_lazy() -> None:
    if "torch" in sys.modules:
        return
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.loader is None:
        return  # then `import torch` itself gives the error
    loader = importlib.util.LazyLoader(spec.loader)
    spec.loader = loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["torch"] = module
    loader.exec_module(module)


_make_torch_lazy()

_loading = threading.Lock()


def load_torch() -> None:
    """Load torch for real. Threads call this before their first use: Python 3.11's lazy loader is not thread-safe."""
    with _loading:
        import torch

        _ = torch.Tensor
