"""From a recipe's words to what is drawn: run files found and opened, views looked up, runs told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from gui.acts import NONE, acts_of, begun_alike, interventions
from gui.export.look import FigureError
from gui.export.means import SEEDS, Mean, groups, summed_up
from gui.export.parts import inks
from gui.export.recipe import PanelRecipe, Recipe, Run
from lab import registry
from lab.compare import Along, Laid, NotAligned, laid_along
from lab.config import ConfigError
from lab.differing import ABSENT, Difference, Places, difference_view, on_common_scale, places
from lab.views import Curves, Ribbon, View
from storage.errors import RunFileError
from storage.reader import RunReader

Find = Callable[[Run], Path | None]


@dataclass(frozen=True)
class Panel:
    """One run in a panel: where its rows come from and what they mean.

    Attributes:
        step: Where views of one moment stand; None for the newest rows.
        ink: Its colour, or the number of one of the look's; None for the next of them.
    """

    source: Any
    config: Any
    label: str
    step: int | None = None
    ink: str | int | None = None


@dataclass(frozen=True)
class Content:
    """A panel of a page, ready to be drawn: the view with the recipe's changes, and its runs.

    Attributes:
        bar: Knob and places of the colour bar that tells the runs apart; None where names do.
    """

    recipe: PanelRecipe
    spec: View
    panels: Sequence[Panel]
    bar: tuple[str, Places] | None = None


@contextmanager
def opened(recipe: Recipe, folder: Path, find: Find | None = None) -> Iterator[list[Content]]:
    """The contents of every panel, while their files are open.

    Args:
        recipe: What to draw.
        folder: Where relative paths start.
        find: Gives the file of a run that is not where the recipe says; None when it is not known.

    Raises:
        FigureError: A run that cannot be found or read, an unknown view, nothing recorded for it.
    """
    readers: dict[Path, RunReader] = {}

    def reader(path: Path) -> RunReader:
        if path not in readers:
            try:
                readers[path] = RunReader(path)
            except RunFileError as error:
                raise FigureError(str(error)) from None
        return readers[path]

    try:
        yield [
            _content(panel, [reader(path) for path in files(panel, folder, find)], *_minus(panel, folder, find, reader))
            for panel in recipe.panels
        ]
    finally:
        for item in readers.values():
            item.close()


def files(panel: PanelRecipe, folder: Path, find: Find | None = None) -> list[Path]:
    """The run files of a panel; folders and patterns such as ``runs/*.h5`` are replaced by what they hold."""
    found: dict[Path, None] = {}
    for run in panel.runs:
        path = folder / run.file
        if path.is_file() and (not run.id or _id_of(path) == run.id):
            found[path] = None
        elif path.is_dir():
            found |= dict.fromkeys(sorted(path.rglob("*.h5")))
        elif not run.id and any(sign in run.file for sign in "*?["):
            found |= dict.fromkeys(sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor)))))
        elif find is not None and (elsewhere := find(run)) is not None:
            found[elsewhere] = None
        else:
            raise FigureError(f"{path} does not exist" if not run.id else f"the run {run.id} ({run.file}) is not found")
    if not found:
        raise FigureError(f"no run files at {', '.join(run.file for run in panel.runs)}")
    return list(found)


def _minus(panel: PanelRecipe, folder: Path, find: Find | None, reader: Callable[[Path], RunReader]) -> list[RunReader]:
    """The run that a panel subtracts, if any."""
    if panel.minus is None:
        return []
    return [reader(path) for path in files(panel.model_copy(update={"runs": (panel.minus,)}), folder, find)][:1]


def finder(places: Sequence[Path]) -> Find:
    """Looks for runs by their ids in folders and files, of which the first wins.

    Files are read one by one until a run is found, those of its name first: a folder may hold thousands.
    """
    there: list[Path] = []
    known: dict[Path, str] = {}

    def id_of(path: Path) -> str:
        if path not in known:
            known[path] = _id_of(path)
        return known[path]

    def find(run: Run) -> Path | None:
        if not there:
            from storage.catalogue import run_files

            there.extend(dict.fromkeys(path for place in places for path, _ in run_files(place)))
        name = Path(run.file).name
        likely = sorted(there, key=lambda path: (path.name != name, path not in known))
        return next((path for path in likely if id_of(path) == run.id), None)

    return find


def carried(recipe: Recipe, contents: Sequence[Content], folder: Path | None) -> Recipe:
    """The recipe as a figure carries it: runs by name and id, the style spelt out; nothing about this machine."""
    panels = []
    for panel, content in zip(recipe.panels, contents, strict=True):
        runs = [_named(source) for part in content.panels for source in members(part)]
        minus = {"minus": _named(subtracted) if (subtracted := _subtracted(content)) else None}
        panels.append({**panel.model_dump(), "runs": runs, **minus})
    shipped = isinstance(recipe.style, str) and not recipe.style.endswith(".json")
    return recipe.changed(panels=panels, style=recipe.style if shipped else recipe.look(folder).model_dump())


def _named(run: RunReader) -> dict[str, str]:
    return {"file": run.path.name, "id": str(run.header["run_id"])}


def members(panel: Panel) -> list[RunReader]:
    """The run files behind one label: one, or those of a mean."""
    return [reader for reader, _ in pieces(panel)]


def pieces(panel: Panel) -> list[tuple[RunReader, Any]]:
    """Every run of a panel: its file, and the rows as the panel shows them."""
    parts = panel.source.members if isinstance(panel.source, Mean) else [panel.source]
    return [(_file_of(part), part) for part in parts]


def _file_of(part: Any) -> RunReader:
    if isinstance(part, Minus | LaidMinus):
        return part.reader
    file: Any = part.source if isinstance(part, Laid) else part
    return file


def _subtracted(content: Content) -> RunReader | None:
    parts = (part for panel in content.panels for _, part in pieces(panel))
    return next((part.reference for part in parts if isinstance(part, Minus | LaidMinus)), None)


class Minus(Difference):
    """A run file minus another one."""

    def __init__(self, run: Any, reference: Any, reader: RunReader, subtracted: RunReader, spec: View) -> None:
        super().__init__(run, reference, spec.places)
        self.reader, self.reference = reader, subtracted


class LaidMinus(Laid):
    """The same along what no two runs share values of: steps are subtracted, and lie where the run has them."""

    def __init__(self, minus: Minus, along: Along) -> None:
        super().__init__(minus, along, minus.reader.config, place=minus.reader)
        self.reader, self.reference = minus.reader, minus.reference


def along_of(text: str) -> Along:
    """What ``step``, ``event spike`` or ``series norm`` stand for."""
    kind, _, name = text.partition(" ")
    return Along(kind, name)  # pyright: ignore[reportArgumentType]  # the recipe's pattern knows the kinds


def _sources(spec: View, recipe: PanelRecipe, readers: Sequence[RunReader], minus: Sequence[RunReader]) -> list[Any]:
    """The runs as the panel shows them: laid along its axis, minus the reference."""
    along = along_of(recipe.along)
    shown: list[Any] = [*readers, *minus]
    if along.kind != "step" and isinstance(spec, Curves | Ribbon):
        laid = [Laid(reader, along, reader.config) for reader in shown]
        if not minus or along.common:
            shown = laid
    if not minus:
        return shown
    *runs, reference = shown
    found = [Minus(run, reference, reader, minus[0], spec) for run, reader in zip(runs, readers, strict=True)]
    apart = isinstance(spec, Curves | Ribbon) and not along.common
    return [LaidMinus(minus, along) for minus in found] if apart else found


def _content(recipe: PanelRecipe, readers: Sequence[RunReader], *minus: RunReader) -> Content:
    names = {str(reader.header["experiment"]) for reader in readers}
    if len(names) != 1:
        raise FigureError(f"a view belongs to one experiment; these runs are of {', '.join(sorted(names))}")
    try:
        cls = registry.experiment(names.pop())
        registry.pick("view", recipe.view, [spec.id for spec in cls.every_view()])
        configs = [cls.Config.parse(reader.config) for reader in readers]
    except (registry.UnknownName, ConfigError) as error:
        raise FigureError(str(error)) from None
    spec = next(spec for spec in cls.every_view() if spec.id == recipe.view)
    drawn = [i for i, reader in enumerate(readers) if spec.shows(reader.names())]
    if drawn and isinstance(spec, Curves | Ribbon):
        drawn = _placed(recipe, readers, drawn)
    readers, configs = [readers[i] for i in drawn], [configs[i] for i in drawn]
    if not drawn:
        needed = ", ".join(spec.needed or spec.names)
        raise FigureError(f"nothing is recorded for the view {recipe.view!r}: it needs {needed}")
    if isinstance(spec, Curves | Ribbon) and recipe.along != "step":
        spec = replace(
            spec, x_label=along_of(recipe.along).label, **({"x_log": False} if isinstance(spec, Curves) else {})
        )
    spec = changed(difference_view(spec) if minus else spec, recipe)
    try:
        sources = _sources(spec, recipe, readers, minus)
        headers, acts = [reader.header for reader in readers], [acts_of(reader.events()) for reader in readers]
        begun = begun_alike(headers, acts, [config.model_dump() for config in configs])
        told = [config.model_copy(update=knobs) for config, knobs in zip(configs, begun, strict=True)]
        panels = _panels(spec, recipe, sources, configs, told, interventions(headers, acts))
        spec = on_common_scale(spec, [panel.source for panel in panels]) if len(panels) > 1 else spec
    except NotAligned as error:
        raise FigureError(f"the view {recipe.view!r} cannot be laid along {recipe.along}: {error}") from None
    for number, label in enumerate(recipe.labels[: len(panels)]):
        panels[number] = replace(panels[number], label=label)
    return _coloured(Content(recipe, spec, panels))


def _placed(recipe: PanelRecipe, readers: Sequence[RunReader], drawn: Sequence[int]) -> list[int]:
    """Those of the runs that have a place on the panel's axis: as on screen, one without the event is left out."""
    found, why = [], ""
    for run in drawn:
        try:
            laid_along(along_of(recipe.along), np.zeros(1, np.int64), readers[run], readers[run].config)
            found.append(run)
        except NotAligned as error:
            why = str(error)
    if not found:
        raise FigureError(f"the view {recipe.view!r} cannot be laid along {recipe.along}: {why}")
    return found


def _coloured(content: Content) -> Content:
    """The runs in the colours of a knob, where the recipe names one."""
    knob = content.recipe.colour
    if not knob:
        return content
    found = [panel.config.model_dump() for panel in content.panels]
    if not any(knob in config for config in found):
        raise FigureError(f"no run has a knob called {knob!r}")
    placed = places([config.get(knob, ABSENT) for config in found])
    bar = (knob, placed) if placed.continuous else None
    named = zip(content.panels, inks(placed), strict=True)
    panels = [replace(panel, ink=ink, **({"label": ""} if bar else {})) for panel, ink in named]
    return replace(content, panels=panels, bar=bar)


def _panels(
    spec: View,
    recipe: PanelRecipe,
    readers: Sequence[Any],
    configs: Sequence[Any],
    told: Sequence[Any],
    done: Sequence[str],
) -> list[Panel]:
    """The runs or their means. They are told apart by their configs as ``told`` has them, and by what was done."""
    if recipe.band == "none" or not summed_up(spec):
        named = zip(readers, configs, labels(told, done), strict=True)
        return [Panel(reader, config, label, recipe.step) for reader, config, label in named]
    # a seed that was run twice is no second sample: the later run counts
    newest = {repr((sorted(c.model_dump().items()), done[i])): i for i, c in enumerate(told)}.values()
    readers, configs, told, done = ([runs[i] for i in newest] for runs in (readers, configs, told, done))
    places = groups(told, done)
    firsts = [place[0] for place in places]
    named = labels([told[i] for i in firsts], [done[i] for i in firsts], but=SEEDS)
    panels, log = [], bool(getattr(spec, "y_log", False))
    for place, label in zip(places, named, strict=True):
        count = f"n = {len(place)}" if len(readers) > len(places) else ""  # else no run has another seed beside it
        text = f"{label} ({count})" if label and count else label or count
        mean = Mean([readers[i] for i in place], recipe.band, log=log)
        panels.append(Panel(mean, configs[place[0]], text, recipe.step))
    return panels


def changed(spec: View, recipe: PanelRecipe) -> View:
    """The view with what the recipe says in place of its own declaration."""
    wanted = {"title": recipe.title, "x_label": recipe.x_label, "y_label": recipe.y_label}
    wanted |= {"x_log": recipe.x_log, "y_log": recipe.y_log}
    values = {name: value for name, value in wanted.items() if value is not None}
    unknown = [name for name in values if name not in {field.name for field in fields(spec)}]
    if unknown:
        raise FigureError(f"the view {recipe.view!r} has no {unknown[0]}")
    return replace(spec, **values)


def labels(configs: Sequence[Any], done: Sequence[str], but: Sequence[str] = ()) -> list[str]:
    """What tells the runs apart: the knobs that differ, ``but`` some, and what was done; nothing for a single run."""
    dumps = [config.model_dump() for config in configs]
    knobs = type(configs[0]).knobs()
    differing = [name for name in dumps[0] if name not in but and any(d.get(name) != dumps[0][name] for d in dumps)]
    named = [(name, knobs[name].symbol or name.replace("_", " ")) for name in differing[:3]]
    told = [[f"{word} {_short(dump.get(name))}" for name, word in named] for dump in dumps]
    if len({*done}) > 1:
        told = [[*words, said or NONE] for words, said in zip(told, done, strict=True)]
    return [", ".join(words) for words in told]


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _id_of(path: Path) -> str:
    try:
        with RunReader(path) as reader:
            return str(reader.header["run_id"])
    except RunFileError:
        return ""
