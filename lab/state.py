"""Model, optimiser and generators <-> {path: array}: everything a checkpoint needs, as plain arrays, no pickles.

Arrays and tensors become leaves of their own; whatever is left (numbers, text, None, the shape of lists and dicts) is
one JSON text per attribute, stored as bytes. float and int values come back exactly.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from lab.experiment import Experiment

State = dict[str, np.ndarray]

_COMPUTED = ("fused", "foreach", "capturable")  # ways of an optimiser, which its device chooses
_LEAF = "@"  # {"@": "t"} in the JSON stands for the tensor at this path, "a" for an array


def capture(experiment: Experiment, boundary: Mapping[str, Any] | None = None) -> State:
    """All that the next step and the next readings depend on: ``state``, ``memory``, generators and the global ones.

    Args:
        experiment: Set up.
        boundary: The engine's own memory of the boundary it stands at, JSON values.
    """
    state: State = {}
    for name in experiment.state:
        _store(state, name, _contents(getattr(experiment, name)))
    for name, generator in experiment.generators.items():
        state["generators/" + name.replace("/", ":")] = generator.get_state().numpy().copy()
    if experiment.memory:
        _store(state, "memory", experiment.memory)
    state |= {f"global/{k}": v for k, v in global_generators().items()}
    _store(state, "config", experiment.config.model_dump(mode="json"))
    _store(state, "boundary", dict(boundary or {}))
    return state


def restore(experiment: Experiment, state: Mapping[str, np.ndarray]) -> None:
    """Put ``state`` back into an experiment that has been set up.

    Raises:
        StateError: The state lacks something, or does not fit (another width, another optimiser).
    """
    for name in experiment.state:
        try:
            setattr(experiment, name, _refill(getattr(experiment, name), _load(state, name), experiment.device))
        except StateError:
            raise
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise StateError(f"the checkpoint does not fit {name!r} of this experiment: {error}") from error
    for graph in experiment.graphs:
        graph.forget()
    experiment.memory = _load(state, "memory") if "json/memory" in state else {}
    prefix = "generators/"
    for path in state:
        if path.startswith(prefix):
            purpose, _, rest = path.removeprefix(prefix).partition(":")
            generator = experiment.generator(purpose, rest)  # pyright: ignore[reportArgumentType] - it was one of ours
            generator.set_state(torch.from_numpy(np.array(state[path])))
    set_global_generators({p.removeprefix("global/"): v for p, v in state.items() if p.startswith("global/")})


def stored_boundary(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What the engine had done at the boundary before it made the checkpoint."""
    return _load(state, "boundary") if "json/boundary" in state else {}


def without_boundary(state: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The same state for a run that has read nothing at this boundary yet: a branch has no rows of its own."""
    return {path: array for path, array in state.items() if path != "json/boundary"}


def stored_config(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The knobs in force when the checkpoint was made."""
    return _load(state, "config")


class StateError(ValueError):
    """A checkpoint that does not fit the experiment it is put into."""


def global_generators() -> State:
    """State of every generator that code may draw from without naming it."""
    numpy: Any = np.random.get_state(legacy=True)  # noqa: NPY002 - a careless instrument may use it
    python = json.dumps(random.getstate())
    state = {
        "torch": torch.get_rng_state().numpy().copy(),
        "numpy_keys": np.asarray(numpy[1]),
        "numpy_rest": np.array([numpy[2], numpy[3], numpy[4]], dtype=np.float64),
        "python": np.frombuffer(python.encode(), np.uint8),
    }
    if torch.cuda.is_initialized():
        for index, value in enumerate(torch.cuda.get_rng_state_all()):
            state[f"cuda{index}"] = value.numpy().copy()
    return state


def set_global_generators(state: Mapping[str, np.ndarray]) -> None:
    if not state:
        return
    torch.set_rng_state(torch.from_numpy(np.array(state["torch"])))
    keys, rest = np.array(state["numpy_keys"]), state["numpy_rest"]
    np.random.set_state(("MT19937", keys, int(rest[0]), int(rest[1]), float(rest[2])))  # noqa: NPY002 - as above
    version, numbers, gauss = json.loads(bytes(np.asarray(state["python"])))
    random.setstate((version, tuple(numbers), gauss))
    for path, value in state.items():
        if path.startswith("cuda") and torch.cuda.is_available() and int(path[4:]) < torch.cuda.device_count():
            torch.cuda.set_rng_state(torch.from_numpy(np.array(value)), int(path[4:]))


def _contents(value: Any) -> Any:
    """Modules, optimisers and schedulers by their state_dict, also inside lists and dicts; the rest as it is."""
    if hasattr(value, "state_dict"):
        return value.state_dict()
    if isinstance(value, dict):
        return {key: _contents(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_contents(item) for item in value]
    return value


def _store(state: State, name: str, value: Any) -> None:
    def plain(item: Any, path: str) -> Any:
        if isinstance(item, torch.Tensor):
            cpu = item.detach().cpu()
            if cpu.dtype == torch.bfloat16:
                state[path] = cpu.view(torch.int16).numpy().copy()
                return {_LEAF: "bf16"}
            state[path] = cpu.numpy().copy()
            return {_LEAF: "t"}
        if isinstance(item, np.ndarray):
            state[path] = item.copy()
            return {_LEAF: "a"}
        if isinstance(item, np.generic):
            return item.item()
        if isinstance(item, dict):
            pairs = [[key, plain(content, f"{path}/{key}")] for key, content in item.items()]
            return {"dict": pairs}  # pairs, because JSON would turn integer keys into text
        if isinstance(item, (list, tuple)):
            kind = "tuple" if isinstance(item, tuple) else "list"
            return {kind: [plain(content, f"{path}/{i}") for i, content in enumerate(item)]}
        if item is None or isinstance(item, (bool, int, float, str)):
            return item
        raise StateError(
            f"{path} holds a {type(item).__name__}, which a checkpoint cannot keep; leave it out of `state`"
        )

    text = json.dumps(plain(value, name))
    state[f"json/{name}"] = np.frombuffer(text.encode(), np.uint8)


def _load(state: Mapping[str, np.ndarray], name: str) -> Any:
    def full(item: Any, path: str) -> Any:
        if not isinstance(item, dict):
            return item
        if _LEAF in item:
            array = np.array(state[path])
            if item[_LEAF] == "a":
                return array
            tensor = torch.from_numpy(array)
            return tensor.view(torch.bfloat16) if item[_LEAF] == "bf16" else tensor
        if "dict" in item:
            return {key: full(content, f"{path}/{key}") for key, content in item["dict"]}
        kind, contents = next(iter(item.items()))
        filled = [full(content, f"{path}/{i}") for i, content in enumerate(contents)]
        return tuple(filled) if kind == "tuple" else filled

    if f"json/{name}" not in state:
        raise StateError(f"the checkpoint has no {name!r}")
    return full(json.loads(bytes(np.asarray(state[f"json/{name}"]))), name)


def _refill(target: Any, value: Any, device: torch.device) -> Any:
    """``value`` in the place of ``target``: loaded into what has a state_dict, put on the device when a tensor."""
    if isinstance(target, torch.optim.Optimizer):
        value = value | {"param_groups": _groups_here(target, value["param_groups"])}
    if hasattr(target, "load_state_dict"):
        target.load_state_dict(value)
        return target
    if isinstance(target, dict) and isinstance(value, dict):
        return {key: _refill(target.get(key), item, device) for key, item in value.items()}
    if isinstance(target, (list, tuple)) and isinstance(value, (list, tuple)) and len(target) == len(value):
        return type(target)(_refill(old, new, device) for old, new in zip(target, value, strict=True))
    if isinstance(target, torch.nn.Parameter) and isinstance(value, torch.Tensor):
        with torch.no_grad():
            target.copy_(value)
        return target
    if isinstance(value, torch.Tensor):
        own = value.to(target.device if isinstance(target, torch.Tensor) else device)
        return own.requires_grad_(target.requires_grad) if isinstance(target, torch.Tensor) and target.is_leaf else own
    return value


def _groups_here(optimizer: torch.optim.Optimizer, stored: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stored groups of an optimiser, computed as this device does; their rate is a tensor where it is one here."""
    if len(stored) != len(optimizer.param_groups):
        return stored  # torch says that they do not fit
    groups = []
    for group, own in zip(stored, optimizer.param_groups, strict=True):
        lr, here = float(group["lr"]), own["lr"]
        rate = torch.full_like(here, lr) if isinstance(here, torch.Tensor) else lr
        groups.append(group | {name: own[name] for name in _COMPUTED if name in own} | {"lr": rate})
    return groups
