"""The runs of a comparison, read off the window's thread, and what tells them apart. No Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from gui.acts import NONE, Act, acts_of, begun_alike, interventions
from lab import registry
from lab.differing import ABSENT, SEEDS, differences, flat, over_seeds, rank, told_apart
from lab.experiment import Experiment
from lab.verdict import StudyRow, Verdict, judge_together
from lab.views import View
from storage.errors import RunFileError
from storage.layout import LIVE_STATES
from storage.reader import RunReader

UNKNOWN = "?"
MOST_IN_A_NAME = 3  # knobs of a run's name
INTERVENTIONS = "interventions"
"""Stands among the settings for what was done to a run on its way."""


@dataclass(frozen=True)
class Member:
    """One run of a comparison.

    Attributes:
        knobs: Its config as stored. config: The same as the experiment's own type, or a plain namespace where the
            experiment is not known here.
        acts: What was done to it on its way.
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
    acts: tuple[Act, ...] = ()

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
    return Member(path, *found, acts=acts_of(reader.events()))


def _known(name: str) -> type[Experiment] | None:
    try:
        return registry.experiment(name)
    except (registry.UnknownName, ImportError):
        return None


def settings(members: Sequence[Member]) -> list[Mapping[str, Any]]:
    """What runs are told apart by: their knobs, what was done to them, and their experiment where there are several."""
    headers, acts = [member.header for member in members], [member.acts for member in members]
    knobs = begun_alike(headers, acts, [flat(member.knobs) for member in members])
    configs: list[Mapping[str, Any]] = [
        own | ({INTERVENTIONS: said} if said else {})
        for own, said in zip(knobs, interventions(headers, acts), strict=True)
    ]
    if len({member.header["experiment"] for member in members}) > 1:
        configs = [{"experiment": m.header["experiment"], **c} for m, c in zip(members, configs, strict=True)]
    return configs


def specs(members: Sequence[Member]) -> list[View]:
    """Views that some of the runs have something to show in, each once."""
    found = {
        view.id: view
        for member in members
        for view in (member.experiment.views_of(member.config, member.source.names()) if member.experiment else ())
    }
    return list(found.values())


def groups(members: Sequence[Member], band: str) -> list[list[int]]:
    """Numbers of the runs that become one line: those that differ in seeds alone, or each alone without a band.

    They stand in the order of their arms, as the claim has them, then of the settings that tell them apart.
    """
    configs = settings(members)
    found = over_seeds(configs) if band else [[number] for number in range(len(members))]
    apart = told_apart(configs)

    def place(group: Sequence[int]) -> tuple[Any, ...]:
        first = members[group[0]]
        arms, arm = [*(first.experiment.arms if first.experiment else ())], str(first.header["arm"] or "")
        known = arms.index(arm) if arm in arms else len(arms)
        return known, *(rank(configs[group[0]].get(name, ABSENT)) for name in apart)

    return sorted(found, key=place)


def names(members: Sequence[Member], grouped: Sequence[Sequence[int]]) -> list[str]:
    """What tells each group from the others, in a few words; what most share is left out where that is enough."""
    configs = settings(members)
    arms = [str(members[group[0]].header["arm"] or "") for group in grouped]
    if len(arms) > 1 and all(arms) and len({*arms}) == len(arms):  # a claim's own words for its settings
        return arms
    firsts = [configs[group[0]] for group in grouped]
    seeds = all(len(group) == 1 for group in grouped)  # else groups are not told apart by their first runs' seeds
    knobs = [name for name in told_apart(firsts) if seeds or name not in SEEDS] if len(firsts) > 1 else []
    apart = [name for name in knobs if name != INTERVENTIONS][:MOST_IN_A_NAME]
    usual = {name: _usual([config.get(name) for config in firsts]) for name in apart[1:]}
    found = [_said(config, apart, usual) for config in firsts]
    told = len({*found}) == len(found)  # by knobs alone; else the acts come first
    for number, group in enumerate(grouped):
        member = members[group[0]]
        if INTERVENTIONS in knobs and (firsts[number].get(INTERVENTIONS) or not found[number]):
            none = "no further intervention" if member.acts else NONE
            words = (found[number], firsts[number].get(INTERVENTIONS, none))
            found[number] = ", ".join(filter(None, words if told else words[::-1]))
        if member.header["parent_run"] and "branch" not in found[number]:
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
    texts = [short(config[name]) if isinstance(config[name], str) else f"{name} {short(config[name])}" for name in kept]
    return ", ".join(texts)


def _usual(values: Sequence[Any]) -> Any:
    """The value of more than half; a value that no run has where there is none."""
    counts = [(sum(value == other for other in values), value) for value in values]
    most, value = max(counts, key=lambda pair: pair[0])
    return value if 2 * most > len(values) else object()


def first_with(view: View, members: Sequence[Member], group: Sequence[int]) -> int:
    """The first run of a group that recorded what a view shows; where none did, its first."""
    return next((run for run in group if view.shows(members[run].source.names())), group[0])


def first_number(members: Sequence[Member]) -> str:
    """A scalar series to begin a table with: the default plot's, else the training loss, else the first."""
    scalars = members[0].source.last_numbers()
    likely = (members[0].source.default_series, "train_loss", *scalars)
    return next((name for name in likely if name in scalars), "")


def study_row(member: Member) -> StudyRow | None:
    """A finished run as the numbers that its claim compares; None for one of an unknown experiment."""
    if member.experiment is None or member.state != "finished" or not member.verdict:
        return None
    verdict, numbers = Verdict.from_json(member.verdict), member.source.last_numbers()
    preset, arm = (str(member.header[name] or "") for name in ("preset", "arm"))
    return StudyRow.of(member.experiment.expected(preset, arm), arm, member.config, verdict, numbers)


def verdict_together(members: Sequence[Member], rows: Sequence[StudyRow | None]) -> Verdict:
    """The claim over these runs: the arms that it needs, and what it says of them together."""
    kinds = {member.experiment for member in members}
    experiment = kinds.pop() if len(kinds) == 1 else None
    if experiment is None:
        return Verdict.not_comparable("a claim belongs to one experiment; choose runs of one")
    there = [row for row in rows if row is not None]
    try:
        judged = judge_together(there, experiment.study_verdict)
    except (KeyError, IndexError, ValueError, ArithmeticError) as error:
        judged = Verdict.not_comparable(f"too little was recorded ({error})")
    if len(there) < len(members):
        missing = len(members) - len(there)
        return Verdict.not_comparable(f"{missing} of {len(members)} runs are not finished and judged", *judged.checks)
    return judged


def model_differences(models: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Where models differ: arrays that not all have, or of other shapes. A run without a model is left out."""
    known = [number for number, model in enumerate(models) if model]
    found = {}
    for name, shapes in differences([models[number] for number in known]).items():
        column = dict(zip(known, shapes, strict=True))
        found[name] = [column.get(number, UNKNOWN) for number in range(len(models))]
    return found


def model_of(member: Member) -> dict[str, str]:
    """Shape of every array of a run's model in its newest checkpoint, by module; empty where it kept none.

    The first entry of an experiment's state is its model.
    """
    name = member.experiment.state[0] if member.experiment is not None else "model"
    shapes = member.source.newest_shapes()
    own = {path: shape for path, shape in shapes.items() if path == name or path.startswith(f"{name}/")}
    return {path.removeprefix(f"{name}/"): " × ".join(map(str, shape)) or "1" for path, shape in own.items()}


def environment_differences(members: Sequence[Member]) -> dict[str, list[Any]]:
    """Where the runs' machines, packages and commits differ."""
    return differences([member.environment for member in members])


def short(value: Any) -> str:
    """A setting in a name."""
    text = f"{value:.3g}" if isinstance(value, float) else "none" if value is None else str(value)
    return text if len(text) <= 20 else f"{text[:19]}…"
