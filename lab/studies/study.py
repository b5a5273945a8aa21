"""A study: a set of runs with one question. Arms, a grid over knobs and seeds give exact, ordered points.

A study is plain text (study.toml) beside its run files. A point's key depends on its knobs and arm alone, so the same
study finds its files again, and one that has grown runs only what is missing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from lab.config import Config, ConfigError, Knob
from lab.experiment import Experiment
from lab.registry import pick

FILE = "study.toml"
MOST = 100_000  # points; more is a slip of the keyboard
DIGITS, LOG_DIGITS = 12, 6  # significant ones between a range's ends: 0.3 for 0.30000000000000004, 0.0107722 by factors


class StudyError(ValueError):
    """A study that cannot be: one line that says why."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Axis(_Plain):
    """A knob and the values that it takes, in order."""

    knob: str
    values: tuple[Any, ...]

    @classmethod
    def parse(cls, knob: str, text: str, config: type[Config]) -> Axis:
        """From ``a,b,c``, ``low:high:count`` or ``low:high:count:log``.

        Raises:
            ConfigError: No such knob.
            StudyError: A range that is none.
        """
        knobs = config.knobs()
        if knob not in knobs:
            config.parse({knob: text})  # raises, with the nearest names
        known = knobs[knob]
        if known.kind in ("float", "int") and ":" in text:
            return cls(knob=knob, values=_range(known, text))
        values = _listed(text) if text[:1] == "[" else [word.strip() for word in text.split(",")]
        return cls(knob=knob, values=tuple(_number(known, value) for value in values))

    @property
    def text(self) -> str:
        """What :meth:`parse` takes back."""
        lists = any(isinstance(value, (list, tuple)) for value in self.values)
        return json.dumps(list(self.values))[1:-1] if lists else ", ".join(str(value) for value in self.values)


def _listed(text: str) -> list[Any]:
    try:
        return list(json.loads(f"[{text}]"))
    except ValueError:
        raise StudyError(f"{text}: the lists are not JSON") from None


def typed(config: type[Config], values: Mapping[str, Any]) -> dict[str, Any]:
    """Knobs whose texts are numbers as numbers, so that 0.1 and 0.10 make the same study."""
    knobs = config.knobs()
    return {name: _number(knobs[name], value) if name in knobs else value for name, value in values.items()}


def _number(knob: Knob, value: Any) -> Any:
    """The number that the text is, where the knob takes one; the config complains about the rest."""
    kind = {"float": float, "int": int}.get(knob.kind)
    try:
        return kind(value) if kind and isinstance(value, str) else value
    except ValueError:
        return value


def _range(knob: Knob, text: str) -> tuple[float, ...]:
    try:
        low, high, count, *scale = text.split(":")
        ends, number = (float(low), float(high)), int(count)
    except ValueError:
        raise StudyError(f"{knob.name}={text}: a range is low:high:count or low:high:count:log") from None
    if scale not in ([], ["log"], ["linear"]) or not 1 <= number <= MOST or not all(map(math.isfinite, ends)):
        raise StudyError(f"{knob.name}={text}: a range is low:high:count or low:high:count:log, count from 1 to {MOST}")
    return spaced(*ends, number, log=scale == ["log"], whole=knob.kind == "int")


def spaced(low: float, high: float, count: int, *, log: bool = False, whole: bool = False) -> tuple[float, ...]:
    """``count`` values from ``low`` to ``high``, evenly or by equal factors; whole ones are rounded, each kept once.

    Raises:
        StudyError: Logarithmic, and an end is not positive.
    """
    if log and min(low, high) <= 0:
        raise StudyError(f"a logarithmic range needs positive ends, not {low:g} and {high:g}")
    shares = [index / max(count - 1, 1) for index in range(count)]
    values = [low * (high / low) ** share if log else low * (1 - share) + high * share for share in shares]
    if whole:
        return tuple(dict.fromkeys(round(value) for value in values))
    digits = LOG_DIGITS if log else DIGITS
    between = (float(f"{value:.{digits}g}") for value in values[1:-1])
    return tuple([low, *between, high][:count])


@dataclass(frozen=True)
class Point:
    """One run of a study.

    Attributes:
        arm: Its arm; empty for none.
        values: What tells it from the others: the axes' values and the seed.
        config: All its knobs.
        key: Stands for knobs and arm; the same whenever they are.
        place: Where it stands among all points as listed, whatever the order in which they start.
    """

    arm: str
    values: Mapping[str, Any]
    config: Any
    key: str
    place: int = 0

    @property
    def label(self) -> str:
        words = [self.arm, *(f"{name}={_short(value)}" for name, value in self.values.items())]
        return ", ".join(word for word in words if word) or "the one point"

    def told(self, apart: Collection[str]) -> str:
        """The label in few letters: of its values those in ``apart``, by their symbols; ``arm`` stands for the arm."""
        words = [self.arm] if self.arm and "arm" in apart else []
        values = {name: value for name, value in self.values.items() if name in apart}
        knobs = self.config.knobs()
        words += [f"{knobs[name].symbol or name} {_short(value)}" for name, value in values.items()]
        return ", ".join(words) or self.label

    @property
    def file_name(self) -> str:
        """Tells people what is in it, and programs by the key."""
        stem = re.sub(r"[^A-Za-z0-9.+=-]+", "_", self.label.replace(", ", "-"))[:120]
        return f"{stem}-{self.key}.h5"


class Study(_Plain):
    """Which runs answer the question.

    Attributes:
        preset: Empty for the experiment's first.
        arms: Arms that each point is run with; empty for none.
        seeds: Seeds that each point is run with; empty for the one that its knobs say.
        combine: outer: every value with every other. zip: first values together, second values together ...
        shuffle: Run in an order drawn with this seed, not in the order listed.
        first: Keys of points that start before all others, in this order.
        removed: Keys of points that were taken out.
    """

    experiment: str
    preset: str = ""
    settings: dict[str, Any] = {}
    arms: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    combine: Literal["outer", "zip"] = "outer"
    shuffle: int | None = None
    device: str = "cpu"
    first: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    axes: tuple[Axis, ...] = ()

    @field_validator("settings")
    @classmethod
    def _writable(cls, settings: dict[str, Any]) -> dict[str, Any]:
        return {name: "null" if value is None else value for name, value in settings.items()}  # TOML has no null

    @model_validator(mode="after")
    def _hangs_together(self) -> Study:
        knobs = [axis.knob for axis in self.axes]
        twice = {name for name in knobs if knobs.count(name) > 1 or name in self.settings}
        if self.seeds and "seed" in (*knobs, *self.settings):
            twice.add("seed")
        if twice:
            raise ValueError(f"{', '.join(sorted(twice))}: given twice")
        empty = [axis.knob for axis in self.axes if not axis.values]
        if empty:
            raise ValueError(f"{', '.join(empty)}: an axis without values")
        if self.combine == "zip" and len({len(axis.values) for axis in self.axes}) > 1:
            lengths = ", ".join(f"{axis.knob} {len(axis.values)}" for axis in self.axes)
            raise ValueError(f"zipped axes have as many values each, not {lengths}")
        if self.count > MOST:
            raise ValueError(f"{self.count} points are more than {MOST}")
        return self

    @classmethod
    def of(cls, **values: Any) -> Study:
        """A study from plain values. Raises StudyError with one line."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            why = str(first["msg"]).removeprefix("Value error, ")
            raise StudyError(f"{where}: {why}" if where else why) from None

    @property
    def count(self) -> int:
        """Points, before equal ones are joined."""
        lengths = [len(axis.values) for axis in self.axes]
        grid = math.prod(lengths) if self.combine == "outer" else min(lengths, default=1)
        return grid * max(len(self.arms), 1) * max(len(self.seeds), 1)

    def points(self, experiment: type[Experiment]) -> tuple[Point, ...]:
        """Every run, in the order in which they are to start. Points whose knobs and arm are equal are one.

        Raises:
            ConfigError: The knobs of a point are inadmissible.
            UnknownName: No such preset or arm.
        """
        for what, chosen, known in (
            ("preset", (self.preset,), experiment.presets),
            ("arm", self.arms, experiment.arms),
        ):
            for name in filter(None, chosen):
                pick(what, name, list(known))
        found: dict[str, Point] = {}
        for arm, values in self._combinations():
            settings = {name: None if value == "null" else value for name, value in (self.settings | values).items()}
            try:
                config = experiment.configure(self.preset, arm, settings)
            except ConfigError as error:
                if len(self.axes) == 0:
                    raise
                at = ", ".join(f"{name}={_short(value)}" for name, value in values.items())
                raise ConfigError({"": f"at {at}: {error}"}) from None
            key = _key(self.experiment, arm, config)
            found.setdefault(key, Point(arm, values, config, key, len(found)))
        points = list(found.values())
        if self.shuffle is not None:
            random.Random(self.shuffle).shuffle(points)
        return self.arranged(points)

    def arranged(self, points: Iterable[Point]) -> tuple[Point, ...]:
        """The points without ``removed`` ones, those of ``first`` in front."""
        turn = {key: number for number, key in enumerate(self.first)}
        kept = [point for point in points if point.key not in self.removed]
        return tuple(sorted(kept, key=lambda point: turn.get(point.key, len(turn))))

    def _combinations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        columns = [axis.values for axis in self.axes]
        rows = itertools.product(*columns) if self.combine == "outer" else zip(*columns, strict=True)
        grid = [dict(zip((axis.knob for axis in self.axes), row, strict=True)) for row in rows] if columns else [{}]
        for arm, values in itertools.product(self.arms or ("",), grid):
            for seed in self.seeds:
                yield arm, {**values, "seed": seed}
            if not self.seeds:
                yield arm, values

    def to_toml(self) -> str:
        """What study.toml holds; :meth:`from_toml` gives the study back."""
        data = self.model_dump(exclude_defaults=True)
        axes, settings = data.pop("axes", ()), data.pop("settings", {})
        lines = ["# A study of Training Dynamics Lab. Its run files lie beside it.", *_assigned(data)]
        lines += ["", "[settings]", *_assigned(settings)] if settings else []
        for axis in axes:
            lines += ["", "[[axes]]", *_assigned(axis)]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Study:
        """Raises StudyError when the text is no study."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise StudyError(f"not TOML: {error}") from None
        return cls.of(**data)

    @property
    def folder_name(self) -> str:
        """The same for the same study, and another one for any other."""
        digest = hashlib.sha256(self.to_toml().encode()).hexdigest()[:8]
        knobs = [axis.knob for axis in self.axes] or (["arms"] if self.arms else [])
        words = [self.experiment.replace(":", ""), self.preset, *knobs, digest]
        return re.sub(r"[^A-Za-z0-9.+-]+", "_", "-".join(word for word in words if word))


def telling(points: Iterable[Point]) -> tuple[str, ...]:
    """What differs among the points: ``arm`` and names of knobs, in their order."""
    seen: dict[str, set[str]] = {}
    for point in points:
        for name, value in {"arm": point.arm, **point.values}.items():
            seen.setdefault(name, set()).add(_short(value))
    return tuple(name for name, values in seen.items() if len(values) > 1)


def _key(experiment: str, arm: str, config: Config) -> str:
    text = json.dumps([experiment, arm, config.model_dump(mode="json")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _assigned(values: Mapping[str, Any]) -> list[str]:
    """TOML lines. Strings, numbers and arrays are written as in JSON, except that TOML wants DEL escaped."""
    texts = {name: json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") for name, value in values.items()}
    return [f"{name} = {text}" for name, text in texts.items()]
