"""The science: experiments, measures, engine. No Qt; only lab.hosts knows of run files.

Importing torch takes seconds and holds the interpreter lock, and the window needs none of it to list experiments, build
forms, draw stored runs and judge them. So once ``lab`` is imported, a plain ``import torch`` is lazy: the module is
loaded when something of it is first used. Experiment files keep torch out of module level (they import models and
measures inside ``setup``); a test says so when one does not.
"""

import importlib.util
import sys
import threading
import types

_loading = threading.RLock()


class _LazyModule(types.ModuleType):
    """A module that runs its code when an attribute that is not there yet is asked for."""

    def __getattr__(self, name: str) -> object:
        if name == "__wrapped__":  # PySide6 asks every newly imported module for it; torch has none
            raise AttributeError(name)
        with _loading:
            if type(self) is _LazyModule and not self.__dict__.get("__path__"):
                spec = self.__spec__
                assert spec is not None and spec.loader is not None
                self.__path__ = list(spec.submodule_search_locations or ())
                spec.loader.exec_module(self)
                object.__setattr__(self, "__class__", types.ModuleType)  # a plain module from now on, at full speed
        if name in self.__dict__:
            return self.__dict__[name]
        if type(self) is types.ModuleType:
            return getattr(self, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def _make_lazy(name: str) -> None:
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None:
        return  # loaded already, or missing: then the import itself gives the error
    module = _LazyModule(name)
    module.__spec__ = spec
    module.__file__ = spec.origin
    module.__loader__ = spec.loader
    sys.modules[name] = module  # without __path__: importing a submodule asks for it, and so loads the package first


_make_lazy("torch")


def load_torch() -> None:
    """Load torch now. A thread calls this before its first use, so that two threads never race for it."""
    with _loading:
        import torch

        _ = torch.Tensor
