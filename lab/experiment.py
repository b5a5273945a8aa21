"""What an experiment is: a config, what happens in a step, instruments that read, views, a verdict that judges."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
import torch

from lab.config import Config
from lab.stream import Source
from lab.verdict import Outcome, StudyRow, Verdict
from lab.views import PhaseDiagram, StudyLine, View

if TYPE_CHECKING:
    from lab.measures.detectors import Detector
    from lab.models.captured import Captured

Reading = Any  # a number, a tensor or an array
Readings = TypeVar("Readings")


@dataclass(frozen=True)
class Series:
    """Name and meaning of what is recorded; the texts go into the run file and onto axes."""

    name: str
    label: str
    symbol: str = ""
    unit: str = ""
    statistic: str = ""
    estimator: str = ""

    @property
    def attrs(self) -> dict[str, str]:
        return {
            "label": self.label,
            "symbol": self.symbol,
            "units": self.unit,
            "statistic": self.statistic,
            "estimator": self.estimator,
        }


@dataclass(frozen=True)
class Instrument:
    """A method that reads series at a schedule and changes nothing.

    Attributes:
        every: Steps between readings, or the name of the knob that says so.
        series: What the method returns, in order; one series returns its value alone, several a tuple.
        exact: True for readings that a verdict counts on: the measurement budget never spaces them out.
        optional: Off unless the user switches it on ("also measure").
        choice: What the steps after "@" in ``Request.also`` mean to it; empty: it takes none.
    """

    method: str
    series: tuple[Series, ...]
    every: int | str
    exact: bool
    optional: bool
    choice: str = ""

    def period(self, config: Config) -> int:
        return int(getattr(config, self.every)) if isinstance(self.every, str) else self.every


def instrument(
    label: str = "",
    *,
    every: int | str = 1,
    symbol: str = "",
    unit: str = "",
    statistic: str = "",
    estimator: str = "",
    series: tuple[Series, ...] = (),
    exact: bool = False,
    optional: bool = False,
    choice: str = "",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a method as an instrument. Its name is its series' name, unless ``series`` names several of one cost."""

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        name: str = method.__name__
        own = series or (Series(name, label, symbol, unit, statistic, estimator),)
        setattr(method, "instrument", Instrument(name, own, every, exact, optional, choice))  # noqa: B010 - functions take attributes
        return method

    return mark


@dataclass(frozen=True)
class Action:
    """Something the user may do to a run at a step, beyond turning a live knob; recorded as an event and replayable."""

    method: str
    label: str
    help: str = ""


def action(label: str, *, help: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a method as an action; keyword arguments must be JSON values."""

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        setattr(method, "action", Action(method.__name__, label, help))  # noqa: B010 - functions take attributes
        return method

    return mark


@dataclass(frozen=True)
class Preset:
    """A named starting point: settings over the config's defaults.

    Attributes:
        claimed: False where the claim says nothing about such runs: every arm beside it is not comparable.
    """

    settings: Mapping[str, Any]
    note: str = ""
    claimed: bool = True


@dataclass(frozen=True)
class Arm:
    """A named setting that the claim needs, control arms included.

    Attributes:
        settings: Knobs over those of the preset.
        expect: The verdict that the paper's claim predicts for it; ``Experiment.expected`` knows of presets, too.
        presets: Further settings that hold only with the named preset.
        whole: Nothing of a preset stays under the settings; the arm is the same beside every preset not in ``presets``.
    """

    settings: Mapping[str, Any]
    expect: Outcome
    note: str = ""
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    whole: bool = False


class Batch(Protocol):
    """Several experiments as one computation, with a leading dimension over them.

    Attributes:
        captured: Its step, played back as a CUDA graph where there is one.
    """

    captured: Captured[torch.Tensor]

    def advance(self, steps: int) -> Sequence[Mapping[str, np.ndarray]]:
        """Take ``steps`` steps with each. Returns what its ``step`` would have, one mapping a member, ``steps`` rows.

        When it returns, the members' own ``state`` is what instruments and checkpoints are to see.
        """
        ...


class UnreadableError(ValueError):
    """An instrument has nothing to read here; the message says why, and what to choose instead."""


class StoredStates(Protocol):
    """The states that a run has stored, for instruments that look back."""

    def checkpoints(self) -> Sequence[int]:
        """Their steps, rising."""
        ...

    def checkpoint(self, step: int) -> Mapping[str, np.ndarray]: ...


class Experiment(ABC):
    """One paper's phenomenon. A subclass in lab/experiments/NAME.py is found by being there.

    The engine makes one per run, calls :meth:`setup` once and :meth:`step` for every step. Whatever changes while the
    run goes on and is not rebuilt by ``setup`` is named in ``state``: modules, optimisers, tensors, arrays, numbers,
    text, and lists or dicts of them; generators made by :meth:`generator` are always kept.
    """

    name: ClassVar[str] = ""  # the file's name, with "-" for "_"; set by discovery
    title: ClassVar[str]
    theme: ClassVar[str]
    claim: ClassVar[str]  # one line for the catalogue
    paper: ClassVar[str]  # authors, year, arXiv
    about: ClassVar[str] = ""  # Markdown: what the paper says, what to try, what to look for, expected numbers
    Config: ClassVar[type[Config]] = Config
    readings: ClassVar[tuple[Series, ...]]  # what step() returns
    views: ClassVar[tuple[View, ...]]
    study_views: ClassVar[tuple[PhaseDiagram | StudyLine, ...]] = ()  # what a study over these knobs shows
    presets: ClassVar[Mapping[str, Preset]]
    arms: ClassVar[Mapping[str, Arm]]
    also_views: ClassVar[tuple[View, ...]] = ()  # of optional instruments: shown where they are on, or were read
    also_note: ClassVar[str] = ""  # where optional instruments have nothing to read, or why there are none
    detectors: ClassVar[tuple[Detector, ...]] = ()
    state: ClassVar[tuple[str, ...]] = ("model", "optimizer")
    small: ClassVar[Mapping[str, Any]] = {}  # knobs with which a few steps of any preset are cheap, for tests
    previews: ClassVar[tuple[str, ...]] = ()  # quick instruments shown as knobs move, before any step (hosts.preview)

    def __init__(self, config: Config, device: str = "cpu") -> None:
        self.config: Any = config
        self.device = torch.device(device)
        self.generators: dict[str, torch.Generator] = {}
        self.memory: dict[str, Any] = {}  # what instruments keep for their next readings; in every checkpoint
        self.graphs: list[Captured[Any]] = []  # what of a step a GPU plays back
        self.now = 0  # the step about to be taken; the engine keeps it
        self.stored: StoredStates | None = None  # of this run, up to any step; None where nothing is kept
        self.chosen: Mapping[str, tuple[int, ...]] = {}  # steps that instruments were asked to use, by their name

    def generator(self, purpose: Literal["data", "init", "order"], name: str = "") -> torch.Generator:
        """A CPU generator of its own for a purpose; the same seeds give the same numbers whatever else is drawn."""
        key = f"{purpose}/{name}" if name else purpose
        if key not in self.generators:
            seed = getattr(self.config, f"{purpose}_seed")
            text = f"{self.config.seed if seed is None else seed}/{key}"
            number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
            self.generators[key] = torch.Generator().manual_seed(number)
        return self.generators[key]

    def as_graph(self, part: Callable[..., Readings]) -> Captured[Readings]:
        """A part of the step that a GPU plays back (models/captured.py says what it may do); elsewhere it is called.

        Turned knobs and actions make it be recorded anew; whatever else changes from step to step are its arguments.
        """
        from lab.models.captured import Captured

        graph = Captured(part, self.device)
        self.graphs.append(graph)
        return graph

    @abstractmethod
    def setup(self) -> None:
        """Build model, data and optimiser from the config, on ``self.device``."""

    @abstractmethod
    def step(self) -> Mapping[str, Reading]:
        """Take one step and return what it knows anyway: the ``readings``, at the state BEFORE the update."""

    @classmethod
    def every_view(cls) -> tuple[View, ...]:
        """The views that are declared, then those of optional instruments."""
        return *cls.views, *cls.also_views

    @classmethod
    def views_of(cls, config: Config, recorded: Collection[str]) -> list[View]:
        """The views of a run that recorded these series; of optional instruments those that were read."""
        declared = [view for view in cls.views if view.applies(config)]
        return declared + [view for view in cls.also_views if {*view.names} <= {*recorded}]

    def knobs_changed(self, changed: Mapping[str, tuple[Any, Any]]) -> None:
        """Called after live knobs took new values: name -> (old, new). ``self.config`` holds the new ones already."""

    @staticmethod
    @abstractmethod
    def verdict(config: Any, run: Source) -> Verdict:
        """Judge a run by its recorded series alone."""

    @classmethod
    def study_verdict(cls, rows: Sequence[StudyRow]) -> Verdict | None:
        """Judge a study's comparable runs together, where the claim compares some; None: it compares none of these.

        The claim's arms are judged without it: each has to end as expected.
        """
        return None

    @classmethod
    def batch_key(cls, config: Any) -> Hashable | None:
        """Configs of one key can be trained at once by :meth:`batch`; None: only one by one."""
        return None

    @classmethod
    def batch(cls, members: Sequence[Any]) -> Batch:
        """Train experiments of one ``batch_key`` at once from now on; they are set up and nobody steps them.

        It agrees with single runs within a tolerance that a test states. No knob is turned and no action done.
        """
        raise NotImplementedError(f"{cls.__name__} gives a batch_key and no batch")

    @classmethod
    def instruments(cls) -> tuple[Instrument, ...]:
        """Instruments in the order in which the class and its parents define them."""
        return _marked(cls, "instrument")

    @classmethod
    def actions(cls) -> tuple[Action, ...]:
        return _marked(cls, "action")

    @classmethod
    def series(cls) -> dict[str, Series]:
        """Every series a run may record, by name."""
        own = [*cls.readings, *(s for i in cls.instruments() for s in i.series)]
        return {s.name: s for s in own}

    @classmethod
    def configure(cls, preset: str = "", arm: str = "", values: Mapping[str, Any] | None = None) -> Any:
        """Config of a preset (default: the first) and an arm (default: none), with ``values`` over both.

        Raises:
            ConfigError: An inadmissible or unknown knob.
            KeyError: No such preset or arm.
        """
        preset = preset or next(iter(cls.presets))
        settings = dict(cls.presets[preset].settings)
        if arm:
            chosen = cls.arms[arm]
            settings = ({} if chosen.whole else settings) | dict(chosen.settings)
            settings |= chosen.presets.get(preset, {})
        return cls.Config.parse(settings | dict(values or {}))

    @classmethod
    def expected(cls, preset: str, arm: str) -> Outcome | None:
        """The verdict that the claim predicts for an arm beside a preset; None for a run of no arm."""
        if arm not in cls.arms:
            return None
        nothing_said = preset in cls.presets and not cls.presets[preset].claimed and not cls.arms[arm].whole
        return "not comparable" if nothing_said else cls.arms[arm].expect


def _marked(cls: type, attribute: str) -> tuple[Any, ...]:
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
    marks = (getattr(getattr(cls, name, None), attribute, None) for name in names if not name.startswith("__"))
    return tuple(mark for mark in marks if isinstance(mark, (Instrument, Action)))
