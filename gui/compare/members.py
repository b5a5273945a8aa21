"""The runs of a comparison, read off the window's thread, and what tells them apart. No Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from lab import registry
from lab.differing import differences, flat, over_seeds, told_apart
from lab.experiment import Experiment
from lab.views import View
from storage.errors import RunFileError
from storage.layout import LIVE_STATES
from storage.reader import RunReader

MOST_IN_A_NAME = 3  # knobs of a run's name


@dataclass(frozen=True)
class Member:
    """One run of a comparison.

    Attributes:
        knobs: Its config as stored. config: The same as the experiment's own type, or a plain namespace where the
            experiment is not known here.
    """

    path: str
    source: RunReader
    header: Mapping[str, Any]
    knobs: Mapping[str, Any]
    environment: Mapping[str, Any]
    verdict: Mapping[str, Any]
    state: str
    experiment: type[Experiment] | None
    config: Any

    @property
    def growing(self) -> bool:
        return self.state in LIVE_STATES


def opened(paths: Sequence[str]) -> tuple[list[Member], list[str]]:
    """Runs that can be compared; and a line for each file that cannot be read."""
    members, problems = [], []
    for path in dict.fromkeys(paths):
        try:
            members.append(_opened(path))
        except RunFileError as error:
            problems.append(str(error))
    return members, problems


def _opened(path: str) -> Member:
    reader = RunReader(path)
    header, knobs = reader.header, reader.config
    experiment = _known(str(header["experiment"]))
    config: Any = SimpleNamespace(**knobs)
    if experiment is not None:
        try:
            config = experiment.Config.parse(knobs)
        except ValueError:  # knobs of another version of the experiment
            experiment = None
    found = (reader, header, knobs, reader.environment, reader.verdict, reader.state, experiment, config)
    return Member(path, *found)


def _known(name: str) -> type[Experiment] | None:
    try:
        return registry.experiment(name)
    except (registry.UnknownName, ImportError):
        return None


def settings(members: Sequence[Member]) -> list[Mapping[str, Any]]:
    """What runs are told apart by: their knobs, and their experiment where there are several."""
    configs: list[Mapping[str, Any]] = [flat(member.knobs) for member in members]
    if len({member.header["experiment"] for member in members}) > 1:
        configs = [{"experiment": m.header["experiment"], **c} for m, c in zip(members, configs, strict=True)]
    return configs


def specs(members: Sequence[Member]) -> list[View]:
    """Views that some of the runs have something to show in, each once."""
    found = {
        view.id: view
        for member in members
        for view in (member.experiment.views if member.experiment else ())
        if view.applies(member.config)
    }
    return list(found.values())


def groups(members: Sequence[Member], band: str) -> list[list[int]]:
    """Numbers of the runs that become one line: those that differ in seeds alone, or each alone without a band."""
    return over_seeds(settings(members)) if band else [[number] for number in range(len(members))]


def names(members: Sequence[Member], grouped: Sequence[Sequence[int]]) -> list[str]:
    """What tells each group from the others, in a few words; what most share is left out where that is enough."""
    configs = settings(members)
    firsts = [configs[group[0]] for group in grouped]
    apart = told_apart(firsts)[:MOST_IN_A_NAME] if len(firsts) > 1 else []
    usual = {name: _usual([config.get(name) for config in firsts]) for name in apart[1:]}
    found = [_said(config, apart, usual) for config in firsts]
    for number, group in enumerate(grouped):
        header = members[group[0]].header
        if header["parent_run"]:
            found[number] = f"branch {found[number]}".strip()
    for extra in ("seed", "run_id"):
        repeated = {name for name in found if not name or found.count(name) > 1}
        for number, group in enumerate(grouped):
            if found[number] in repeated and len(group) == 1:
                value = str(members[group[0]].header[extra])
                found[number] = f"{found[number]} {f'seed {value}' if extra == 'seed' else value[-4:]}".strip()
    return found


def _said(config: Mapping[str, Any], apart: Sequence[str], usual: Mapping[str, Any]) -> str:
    kept = [name for name in apart if name in config and (name not in usual or config[name] != usual[name])]
    texts = [
        _short(config[name]) if isinstance(config[name], str) else f"{name} {_short(config[name])}" for name in kept
    ]
    return ", ".join(texts)


def _usual(values: Sequence[Any]) -> Any:
    """The value of more than half; a value that no run has where there is none."""
    counts = [(sum(value == other for other in values), value) for value in values]
    most, value = max(counts, key=lambda pair: pair[0])
    return value if 2 * most > len(values) else object()


def environment_differences(members: Sequence[Member]) -> dict[str, list[Any]]:
    """Where the runs' machines, packages and commits differ."""
    return differences([member.environment for member in members])


def _short(value: Any) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else "none" if value is None else str(value)
    return text if len(text) <= 20 else f"{text[:19]}…"
