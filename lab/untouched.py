"""Readings change nothing: what training goes on from is as it was once they are done."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.random.mtrand import get_bit_generator, set_bit_generator  # numpy.random's stubs leave them out

from lab.experiment import Experiment

_SCRATCH = np.random.MT19937(0)


@contextmanager
def untouched(experiment: Experiment) -> Iterator[None]:
    """Whatever is drawn, switched or computed inside changes no generator, mode, buffer or gradient of the training."""
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    numpy_generator = get_bit_generator()
    set_bit_generator(_SCRATCH)
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    own = {name: generator.get_state() for name, generator in experiment.generators.items()}
    modules, leaves = _of(vars(experiment).values())
    modes = [(m, m.training) for m in modules]
    buffers = [(b, b.clone()) for m in modules for b in m._buffers.values() if b is not None]
    grads = [(p, p.grad) for p in leaves]
    for p in leaves:
        p.grad = None
    try:
        yield
    finally:
        for p, grad in grads:
            p.grad = grad
        for m, mode in modes:
            if m.training is not mode:  # to set it takes a module longer than all the rest here
                m.training = mode
        if buffers:
            with torch.no_grad():
                for b, kept in buffers:
                    b.copy_(kept)
        for name, state in own.items():
            experiment.generators[name].set_state(state)
        for name in set(experiment.generators) - set(own):
            del experiment.generators[name]  # so that its first draw in training is the same as without the instrument
        torch.set_rng_state(torch_state)
        random.setstate(python_state)
        set_bit_generator(numpy_generator)
        for index, state in enumerate(cuda):
            torch.cuda.set_rng_state(state, index)


def _of(values: Iterable[Any]) -> tuple[list[torch.nn.Module], list[torch.Tensor]]:
    """Every module below some values, and every tensor that gradients gather in.

    This runs at every reading: the modules' own tables are a tenth of the time of ``modules()`` and ``parameters()``.
    """
    modules: list[torch.nn.Module] = []
    leaves: list[torch.Tensor] = []
    waiting, seen = list(values), set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, torch.Tensor):
            if value.requires_grad and value.is_leaf:
                leaves.append(value)
        elif isinstance(value, torch.nn.Module):
            if value not in seen:
                seen.add(value)
                modules.append(value)
                leaves += [p for p in value._parameters.values() if p is not None]
                waiting += value._modules.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
    return modules, leaves
