"""Knobs: a typed, frozen pydantic model per experiment, with what forms and the command line need to know of each."""

import difflib
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError


def param(
    default: Any,
    label: str,
    *,
    symbol: str = "",
    unit: str = "",
    help: str = "",
    min: float | None = None,
    max: float | None = None,
    log: bool = False,
    live: bool = False,
    group: str = "Settings",
    paper: Any = None,
) -> Any:
    """Declare a knob.

    Args:
        default: Its value when nothing else is said; limits apply to it too.
        label: What the form calls it.
        symbol: The field's symbol for it, for example ``η``.
        unit: Unit of the value; empty for pure numbers.
        help: One or two sentences for the tooltip.
        min: Smallest allowed value, inclusive.
        max: Largest allowed value, inclusive.
        log: Values are compared by ratio, so editors step and sweep by factors.
        live: May be set while the run goes on; acts at the next step.
        group: Heading that the form puts it under.
        paper: The paper's value where it differs from the default.
    """
    extra = {"symbol": symbol, "unit": unit, "log": log, "live": live, "group": group, "paper": paper}
    return Field(default, title=label, description=help, ge=min, le=max, json_schema_extra=extra)


def numbers(knob: str, text: str, kind: Callable[[str], Any] = float) -> tuple[Any, ...]:
    """The numbers in a knob that lists them with spaces or commas between, ascending, each once.

    Raises:
        ValueError: A word is no such number; the message begins with ``knob``.
    """
    found = set()
    for word in text.replace(",", " ").split():
        try:
            found.add(kind(word))
        except ValueError:
            raise ValueError(f"{knob}: {word!r} is no {'whole ' * (kind is int)}number") from None
    if not all(map(math.isfinite, found)):
        raise ValueError(f"{knob}: {text!r} is not all finite")
    return tuple(sorted(found))


@dataclass(frozen=True)
class Knob:
    """What a form, a table or a command line needs to know of one config field."""

    name: str
    kind: Literal["float", "int", "bool", "choice", "text", "list"]
    default: Any
    label: str
    symbol: str
    unit: str
    help: str
    min: float | None
    max: float | None
    log: bool
    live: bool
    group: str
    paper: Any
    choices: tuple[Any, ...]
    optional: bool

    @property
    def limits(self) -> str:
        """The admissible range in words, for tooltips and error lines."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        low, high = self.min, self.max
        if low is not None and high is not None:
            return f"{low:g} to {high:g}"
        return f"at least {low:g}" if low is not None else f"at most {high:g}" if high is not None else "any value"


class ConfigError(ValueError):
    """Knobs that cannot be used: ``errors`` maps each knob's name to one line that says why and what is admissible."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{name}: {why}" if name else why for name, why in self.errors.items()))


class Config(BaseModel):
    """Knobs that every experiment has. An experiment's own config adds to them and may give other defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    steps: int = param(1000, "Steps", min=1, max=1_000_000_000, group="Run", help="Length of the run on its own axis.")
    seed: int = param(0, "Seed", min=0, max=2**31 - 1, group="Run", help="Seeds data, initialisation and order alike.")
    data_seed: int | None = param(None, "Data seed", min=0, max=2**31 - 1, group="Seeds", help="Empty: the seed above.")
    init_seed: int | None = param(
        None, "Initialisation seed", min=0, max=2**31 - 1, group="Seeds", help="Empty: the seed above."
    )
    order_seed: int | None = param(
        None,
        "Order seed",
        min=0,
        max=2**31 - 1,
        group="Seeds",
        help="Batches, dropout. Empty: the seed above.",
    )
    measure_budget: float = param(
        0.25,
        "Measurement budget",
        min=0.0,
        max=1.0,
        group="Run",
        help="Share of the run's time that instruments may take. They are spaced out to keep it, and the run file says "
        "when each was read. 1: every instrument on its own schedule, whatever it costs.",
    )
    checkpoint_megabytes: int = param(
        16,
        "Checkpoint budget",
        unit="MB",
        min=1,
        max=1_000_000,
        group="Run",
        help="Up to 50 states are stored to branch and resume from, fewer where they would take more than this; "
        "never fewer than six.",
    )
    threads: int = param(1, "CPU threads", min=1, max=256, group="Run", help="Small nets are quickest with one.")
    allow_nonfinite: bool = param(
        False,
        "Go on after NaN",
        group="Run",
        help="Off: a loss that is not finite ends the run, with its data.",
    )

    @classmethod
    def knobs(cls) -> dict[str, Knob]:
        """The fields in declaration order: the experiment's own first, the common ones last."""
        common = Config.model_fields if cls is not Config else {}
        names = [name for name in cls.model_fields if name not in common]
        names += [name for name in cls.model_fields if name in common]
        return {name: knob_of(name, cls.model_fields[name]) for name in names}

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Validate ``values`` (strings are admitted, as a command line gives them).

        Raises:
            ConfigError: One line per bad knob; unknown names come with the nearest known ones.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(explain(cls.knobs(), error)) from None

    def changed(self, values: Mapping[str, Any]) -> Self:
        """A validated copy with some knobs set anew. Raises ConfigError like :meth:`parse`."""
        return type(self).parse({**self.model_dump(), **values})

    def difference(self, other: "Config") -> dict[str, tuple[Any, Any]]:
        """Knobs that differ: name -> (own value, the other's value)."""
        mine, theirs = self.model_dump(), other.model_dump()
        names = dict.fromkeys([*mine, *theirs])
        return {n: (mine.get(n), theirs.get(n)) for n in names if mine.get(n) != theirs.get(n)}


def knob_of(name: str, field: Any) -> Knob:
    """What a form needs to know of a pydantic field; one without a default has None."""
    annotation, optional = field.annotation, False
    if get_origin(annotation) in (Union, types.UnionType):
        optional = type(None) in get_args(annotation)
        (annotation,) = (a for a in get_args(annotation) if a is not type(None))
    choices: tuple[Any, ...] = get_args(annotation) if get_origin(annotation) is Literal else ()
    kinds = {float: "float", int: "int", bool: "bool", str: "text"}
    kind: Any = "choice" if choices else kinds.get(annotation, "list")
    limit = {type(m).__name__: m for m in field.metadata}
    low, high = getattr(limit.get("Ge"), "ge", None), getattr(limit.get("Le"), "le", None)
    extra = dict(field.json_schema_extra or {})
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    return Knob(
        name=name,
        kind=kind,
        default=default,
        label=field.title or name,
        symbol=extra.get("symbol", ""),
        unit=extra.get("unit", ""),
        help=field.description or "",
        min=low,
        max=high,
        log=bool(extra.get("log", False)),
        live=bool(extra.get("live", False)),
        group=extra.get("group", "Settings"),
        paper=extra.get("paper"),
        choices=choices,
        optional=optional,
    )


def explain(knobs: Mapping[str, Knob], error: ValidationError) -> dict[str, str]:
    """One line per inadmissible knob: what it was and what it may be."""
    lines: dict[str, str] = {}
    for item in error.errors():
        name = str(item["loc"][0]) if item["loc"] else ""
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, knobs, n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else f"known knobs: {', '.join(knobs)}"
            lines[name] = f"no such knob; {hint}"
        elif name in knobs and item["type"] != "value_error":
            wanted = _wanted(knobs[name])
            empty = item["input"] is None
            lines[name] = f"must be {wanted}" if empty else f"{_short(item['input'])} is not admissible: {wanted}"
        else:
            lines[name] = item["msg"].removeprefix("Value error, ")
    return lines


def _wanted(knob: Knob) -> str:
    if knob.choices:
        return knob.limits
    kinds = {"float": "a number", "int": "a whole number", "bool": "true or false", "text": "text", "list": "a list"}
    limits = "" if knob.min is None and knob.max is None else f", {knob.limits}"
    return kinds[knob.kind] + limits + (", or none" if knob.optional else "")


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) and math.isfinite(value) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
