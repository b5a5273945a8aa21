"""Parameters grouped by module, for readings per layer and per block.

``{name: lambda_max(hessian.block(params)) for name, params in layers(model).items()}`` reads each layer on one graph.
"""

from torch import nn


def layers(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The trained parameters of each module that owns some, by its name; a tied one belongs to its first owner."""
    return _grouped(model, lambda name: name.rpartition(".")[0])


def blocks(model: nn.Module, depth: int = 1) -> dict[str, list[nn.Parameter]]:
    """The trained parameters below each module at the given depth, by the first ``depth`` parts of its name.

    Args:
        model: Any module.
        depth: 1 for the direct children; 2 to look into a ``ModuleList`` of blocks ("blocks.0", "blocks.1", ...).
    """
    if depth < 1:
        raise ValueError(f"depth = {depth}; blocks lie at depth 1 or deeper")
    return _grouped(model, lambda name: ".".join(name.split(".")[:-1][:depth]))


def _grouped(model: nn.Module, key) -> dict[str, list[nn.Parameter]]:
    groups: dict[str, list[nn.Parameter]] = {}
    for name, p in model.named_parameters():  # a tied parameter comes once
        if p.requires_grad:
            groups.setdefault(key(name), []).append(p)
    return groups
