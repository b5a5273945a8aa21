"""Finds experiments: every module in lab/experiments that defines an Experiment. A broken one is named and left out."""

import difflib
import functools
import importlib
import inspect
import pkgutil
import traceback
from dataclasses import dataclass
from typing import Any

import lab.experiments
from lab.experiment import Experiment


class UnknownName(LookupError):
    """No such experiment, preset, arm or view; the message names the nearest ones."""

    def __init__(self, what: str, name: str, known: list[str]) -> None:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        others = f"known: {', '.join(known)}" if known else "there is none"
        hint = f"did you mean {', '.join(near)}?" if near else others
        super().__init__(f"no {what} is called {name!r}; {hint}")


@dataclass(frozen=True)
class Broken:
    """An experiment file that could not be loaded."""

    name: str
    error: str  # the last line
    traceback: str


@functools.cache
def discover() -> tuple[dict[str, type[Experiment]], tuple[Broken, ...]]:
    """All experiments by name, and the files that could not be loaded."""
    found: dict[str, type[Experiment]] = {}
    broken: list[Broken] = []
    for info in sorted(pkgutil.iter_modules(lab.experiments.__path__), key=lambda info: info.name):
        name = info.name.replace("_", "-")
        try:
            found[name] = load(f"lab.experiments.{info.name}", name)
        except Exception as error:  # one broken file must not take the others down
            broken.append(Broken(name, f"{type(error).__name__}: {error}", traceback.format_exc()))
    return found, tuple(broken)


def load(module_name: str, name: str) -> type[Experiment]:
    """The one concrete Experiment that a module defines."""
    module = importlib.import_module(module_name)
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Experiment) and value.__module__ == module_name
    ]
    concrete = [cls for cls in classes if not inspect.isabstract(cls)]
    if len(concrete) != 1:
        raise TypeError(f"{module_name} must define exactly one complete Experiment, found {len(concrete)}")
    concrete[0].name = name
    return concrete[0]


def experiment(name: str) -> type[Experiment]:
    """The experiment called ``name``, or the one in an own module written ``package.module:``.

    Raises:
        UnknownName: With the nearest names.
    """
    if name.endswith(":"):
        return load(name[:-1], name)
    found, broken = discover()
    if name in found:
        return found[name]
    for item in broken:
        if item.name == name:
            raise UnknownName("working experiment", f"{name} (its file fails: {item.error})", list(found))
    raise UnknownName("experiment", name, list(found))


def pick(what: str, name: str, known: list[str]) -> str:
    """``name`` if known, else UnknownName."""
    if name not in known:
        raise UnknownName(what, name, known)
    return name


def describe(cls: type[Experiment]) -> dict[str, Any]:
    """An experiment as plain data: what `list --json` prints."""
    knobs = {}
    for name, knob in cls.Config.knobs().items():
        facts = {key: value for key, value in vars(knob).items() if key != "name" and value not in ("", None, ())}
        knobs[name] = facts | {"default": knob.default}
    return {
        "name": cls.name,
        "title": cls.title,
        "theme": cls.theme,
        "claim": cls.claim,
        "paper": cls.paper,
        "presets": list(cls.presets),
        "arms": {name: arm.expect for name, arm in cls.arms.items()},
        "unclaimed_presets": [name for name, preset in cls.presets.items() if not preset.claimed],
        "views": [view.id for view in cls.views],
        "also_views": [view.id for view in cls.also_views],
        "instruments": {
            item.method: {
                "series": [series.name for series in item.series],
                "every": item.every,
                "exact": item.exact,
                "optional": item.optional,
                "estimator": item.series[0].estimator,
            }
            for item in cls.instruments()
        },
        "knobs": knobs,
    }
