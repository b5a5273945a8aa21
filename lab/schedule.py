"""When instruments read and checkpoints are made: on their own periods, spaced out to keep a budget, and said so."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.config import Config
from lab.experiment import Instrument

REVIEW_SECONDS = 0.5  # how often spacing is reviewed
SLIGHT = 0.01  # share of the time below which an instrument is not read less often: nothing would be won
MOST, FEWEST = 50, 6  # checkpoints of a run
SHARE = 0.005  # of the time that checkpoints may take
LOSABLE = 300.0  # seconds of work that a crash may cost where one state alone is larger than the budget


@dataclass
class _Cost:
    first: float = 0.0  # seconds of the first reading, which pays for warming up
    seconds: float = 0.0  # of the others
    count: int = 0
    spacing: int = 1  # multiple of the instrument's own period
    last: int = -1  # step of the last reading
    since: int = -1  # step at which it was switched on: read there, whatever its period; -1 where a resumed run goes on

    @property
    def mean(self) -> float:
        """Seconds of a reading: the first one's, an upper bound, while there is no other."""
        return self.seconds / self.count if self.count else self.first


class Schedule:
    """Which instruments are due at a step.

    Instruments marked ``exact`` read on their own period, and ``forced`` ones every so many steps as the user said. The
    others share what the budget leaves: when measuring has taken more than its share of the time, the costliest one is
    read half as often, and more often again when there is room. The first and the last boundary are always read.

    Attributes:
        next: No instrument is due at a boundary before this one.
    """

    def __init__(
        self, instruments: Sequence[Instrument], config: Config, start: int, forced: Mapping[str, int] | None = None
    ) -> None:
        self._config = config
        self._instruments: tuple[Instrument, ...] = ()
        self.costs: dict[str, _Cost] = {}
        self.switch(instruments, forced or {}, start)
        self.training_seconds = 0.0
        self.steps = 0
        self._reviewed = time.perf_counter()

    def switch(self, instruments: Sequence[Instrument], forced: Mapping[str, int], step: int) -> None:
        """Read these from ``step`` on, a new one at that boundary first; what others have cost is kept in mind."""
        for item in instruments:
            if item not in self._instruments:
                self.costs.setdefault(item.method, _Cost()).since = step
        self._instruments, self._forced = tuple(instruments), dict(forced)
        self._plan(step)

    def due(self, step: int, *, last: bool = False) -> list[Instrument]:
        """Instruments to read at the boundary before ``step``."""
        chosen: list[Instrument] = []
        if step < self.next and not last:
            return chosen
        self.next = self._config.steps
        for item, cost, every in self._planned:
            if (after := (step // every + 1) * every) < self.next:
                self.next = after
            if cost.last != step and (step == cost.since or last or step % every == 0):
                chosen.append(item)
        return chosen

    def read(self, item: Instrument, seconds: float, step: int) -> None:
        cost = self.costs[item.method]
        if step == cost.since and not cost.first:
            cost.first = seconds
        else:
            cost.seconds += seconds
            cost.count += 1
        cost.last = step

    def memory(self, step: int) -> dict[str, Any]:
        """What a resumed run needs to go on with the same readings."""
        return {
            "read": [name for name, cost in self.costs.items() if cost.last == step],
            "spacing": {name: cost.spacing for name, cost in self.costs.items()},
        }

    def remember(self, memory: Mapping[str, Any], step: int) -> None:
        """Go on as the run did whose :meth:`memory` this is."""
        for name, cost in self.costs.items():
            cost.since = -1
            cost.spacing = memory["spacing"].get(name, 1)
            cost.last = step if name in memory["read"] else -1
        self._plan(step)

    def stepped(self, seconds: float, count: int = 1) -> None:
        if self.steps:  # the first pays for warming up
            self.training_seconds += seconds
        self.steps += count

    def rebalance(self) -> list[dict[str, Any]]:
        """Space readings to keep the budget.

        Returns:
            For the run file, what changed: the instrument, the steps from reading to reading, and the mean seconds
            that one reading took.
        """
        now, budget = time.perf_counter(), self._config.measure_budget
        if budget >= 1.0 or now - self._reviewed < REVIEW_SECONDS:
            return []
        self._reviewed = now
        spent = sum(cost.seconds for cost in self.costs.values())
        share = spent / max(spent + self.training_seconds, 1e-9)
        open_to_change = [i for i in self._instruments if not self._fixed(i)]
        rate = {i.method: self._rate(i) for i in open_to_change}
        read = [i for i in open_to_change if self.costs[i.method].count]
        # a dear reading of the past is outweighed as the run goes on: readings to come need half the budget at most
        if share > budget and read and self._share_to_come() > budget / 2:
            item = max(read, key=lambda i: rate[i.method])
            if rate[item.method] > SLIGHT * self.training_seconds / max(self.steps - 1, 1):
                return [self._space(item, self.costs[item.method].spacing * 2)]
        if share < budget / 3:
            spaced = [i for i in open_to_change if self.costs[i.method].spacing > 1]
            if spaced:
                item = min(spaced, key=lambda i: rate[i.method])
                return [self._space(item, self.costs[item.method].spacing // 2)]
        return []

    def obey(self, change: Mapping[str, Any]) -> None:
        """Space readings as :meth:`rebalance` did in another run of the same knobs."""
        for item in self._instruments:
            if item.method == change["instrument"]:
                cost = self.costs[item.method]
                self._space(item, max(1, change["every"] * cost.spacing // self._every(item)))

    def unpriced(self) -> list[Instrument]:
        """Instruments that will be read along the way but were read only once, at the start."""
        steps = self._config.steps
        return [i for i in self._instruments if not self.costs[i.method].count and self._every(i) < steps]

    def prices(self) -> dict[str, dict[str, float]]:
        """What a reading of each instrument takes: seconds, the same in training steps, and steps between two readings.

        ``steps`` is missing before the second training step, since the first pays for warming up.
        """
        step = self.training_seconds / max(self.steps - 1, 1)
        found: dict[str, dict[str, float]] = {}
        for item in self._instruments:
            cost = self.costs[item.method]
            if cost.last < 0:
                continue
            found[item.method] = {"seconds": cost.mean, "every": self._every(item)} | (
                {"steps": cost.mean / step} if step else {}
            )
        return found

    def seconds(self) -> float:
        """What steps and readings have taken so far."""
        return self.training_seconds + sum(cost.first + cost.seconds for cost in self.costs.values())

    def share(self) -> float:
        """Share of the time that readings take, as they are spaced now."""
        whole = self.seconds_per_step()
        return 1 - self.training_seconds / max(self.steps - 1, 1) / whole if whole else 0.0

    def seconds_per_step(self) -> float:
        """Mean cost of a step with its share of the readings, as far as measured."""
        step = self.training_seconds / max(self.steps - 1, 1)
        exact = sum(self._rate(i) for i in self._instruments if self._fixed(i))
        other = sum(self._rate(i) for i in self._instruments if not self._fixed(i))
        budget = self._config.measure_budget
        if budget < 1.0:  # what the spacing will leave of it
            other = min(other, max(0.0, budget / (1 - budget) * step - exact))
        return step + exact + other

    def _share_to_come(self) -> float:
        """Share of the time that readings to come will take, as they are spaced now."""
        step = self.training_seconds / max(self.steps - 1, 1)
        measuring = sum(self._rate(i) for i in self._instruments)
        return measuring / max(step + measuring, 1e-9)

    def _plan(self, step: int) -> None:
        """Look anew, from ``step`` on, at what is due when."""
        self._planned = [(item, self.costs[item.method], self._every(item)) for item in self._instruments]
        self.next = step

    def _fixed(self, item: Instrument) -> bool:
        return item.exact or item.method in self._forced

    def _every(self, item: Instrument) -> int:
        """Steps from one reading to the next, as they are spaced now."""
        period = self._forced.get(item.method) or item.period(self._config)
        return period * self.costs[item.method].spacing

    def _rate(self, item: Instrument) -> float:
        return self.costs[item.method].mean / self._every(item)

    def _space(self, item: Instrument, spacing: int) -> dict[str, Any]:
        cost = self.costs[item.method]
        cost.spacing = spacing
        self._plan(0)
        return {"instrument": item.method, "every": self._every(item), "seconds": cost.mean}


def in_words(price: Mapping[str, float]) -> str:
    """One of ``Schedule.prices``: "12 steps, 0.02 s a reading, every 100 steps"."""
    steps = f"{price['steps']:.2g} steps, " if "steps" in price else ""
    return f"{steps}{price['seconds']:.2g} s a reading, every {price['every']:g} steps"


class Checkpoints:
    """When to store the state: every 1/50 of the run, or less often where that would not fit a budget.

    Checkpoints are never taken back, so their spacing is planned: what is left of the budget is spread over what is
    left of the run, anew after each one, since a state may grow (an optimiser's does after its first step). A state
    too large for the budget is still stored FEWEST times, so that a crash never costs more than that share of a run;
    one that is larger than the whole budget, not more often than every LOSABLE seconds, the run's two ends apart.

    Args:
        steps: Length of the run.
        begin: Step at which it goes on; the budget of the steps before it is taken as spent.
        every: A spacing that is kept to, whatever its size.
        at: The steps of all of them, whatever clock and budget say: where the same run stored its state before.
        after: None is made up to this step: a run that was taken back has been there.
        least: Fewest steps between two.
        seconds: Shortest work between two, more where SHARE asks for it; 0 for none. A run that waits does not work.
        budget: Bytes.
    """

    def __init__(
        self,
        steps: int,
        *,
        begin: int = 0,
        every: int | None = None,
        at: Collection[int] | None = None,
        after: int = -1,
        least: int = 1,
        seconds: float = 1.0,
        budget: float = 16e6,
    ) -> None:
        self._steps = steps
        self._at, self._after = at, after
        self._fixed = every is not None or at is not None
        self._seconds = self._shortest = 0.0 if every else seconds
        self._budget = budget
        self._left = budget * (1 - min(begin / steps, 1.0))
        self._made_at = -1e9
        self.every = every or max(least, -(-steps // MOST))
        self.last = -1

    @classmethod
    def of(cls, config: Config, begin: int = 0, *, at: Collection[int] | None = None, after: int = -1) -> Checkpoints:
        """Those of a run of its own that goes on at step ``begin``."""
        return cls(config.steps, begin=begin, at=at, after=after, budget=config.checkpoint_megabytes * 1e6)

    def stored(self, step: int) -> bool:
        """Whether the state at ``step`` is there already, or comes of one that is."""
        return step == self.last or step <= self._after

    def due(self, step: int, now: float) -> bool:
        """Whether to store the state at ``step``, which the run has reached after ``now`` seconds at work."""
        if self.stored(step):
            return False
        if self._at is not None:
            return step in self._at
        return not step % self.every and now - self._made_at >= self._seconds

    def next_due(self, step: int) -> int:
        """The first boundary after ``step`` at which the state may be stored."""
        if self._at is not None:
            return min((at for at in self._at if at > step), default=self._steps)
        return (step // self.every + 1) * self.every

    def expected(self, size: float, seconds: float) -> float:
        """How many there will be, of ``size`` bytes each, in a run that takes so many seconds."""
        if size > self._budget:
            return 1 + max(1.0, min(FEWEST, seconds / LOSABLE))
        fitting = min(seconds / max(self._shortest, 1e-9), self._left / size)
        return 1 + min(self._steps / self.every, max(fitting, FEWEST))

    def made(self, step: int, size: int, now: float, took: float = 0.0) -> int | None:
        """Take note of a checkpoint of ``size`` bytes that ``took`` seconds; returns the spacing where it grew."""
        self.last, self._made_at = step, now
        if self._shortest:
            self._seconds = max(self._shortest, took / SHARE, LOSABLE if size > self._budget else 0.0)
        self._left -= size
        if self._fixed or step >= self._steps:
            return None
        room = int(self._left // size) - 1  # the end of the run is always stored
        wanted = min(-(-(self._steps - step) // max(room, 1)), max(1, self._steps // FEWEST))
        if wanted <= self.every * 1.1:  # rounding alone changes nothing
            return None
        self.every = wanted
        return wanted
