"""Optional instruments switched on and off while a run goes on: kept as events, replayed, resumed, branched."""

from pathlib import Path
from typing import Any

import pytest

from lab.config import ConfigError
from lab.engine import Engine
from lab.request import Request, in_force
from lab.stream import MemoryRun
from storage.reader import RunReader
from tests.fakes import Tiny
from tests.lab.hosts.test_run import NAME, Watcher, here, request, rows, stored_events


def paused_at(watcher: Watcher, step: int) -> Any:
    return lambda m: m[:2] == ("state", "paused") and watcher.of("progress")[-1][1] == step


def switched(name: str) -> Any:
    return lambda m: m[0] == "event" and m[1]["kind"] == "instruments" and m[1]["payload"][name]


def switching(steps: int = 61, *, then: str = "go") -> Watcher:
    """Switch an instrument on at step 30 and off at step 90, and at the last step do what ``then`` says."""
    watcher = Watcher()
    watcher.commands.put(("pause",))
    watcher.when(paused_at(watcher, 0), "step", 30)
    watcher.when(paused_at(watcher, 30), "instruments", ("largest=7",), ())
    watcher.when(switched("on"), "step", 60)
    watcher.when(paused_at(watcher, 90), "instruments", (), ("largest",))
    watcher.when(switched("off"), "step", steps)
    watcher.when(paused_at(watcher, 90 + steps), then)
    return watcher


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    here(request(tmp_path, "parent.h5"), switching())
    return tmp_path / "parent.h5"


READ = [30, *range(35, 90, 7)]


def test_an_instrument_switched_on_in_mid_run_reads_at_that_step_and_then_on_its_period_until_it_is_off(
    parent: Path, tmp_path: Path
):
    steps, values = rows(parent, "largest")
    theta = dict(zip(*rows(parent, "theta_now"), strict=True))
    assert steps == READ
    assert [v for s, v in zip(steps, values, strict=True) if s % 2 == 0] == [
        max(map(abs, theta[s])) for s in steps if s % 2 == 0
    ]
    events = [e for e in stored_events(parent) if e["kind"] == "instruments"]
    assert [(e["step"], e["payload"]) for e in events] == [
        (30, {"on": ["largest=7"], "off": []}),
        (90, {"on": [], "off": ["largest"]}),
    ]
    here(request(tmp_path, "plain.h5"))
    assert rows(parent) == rows(tmp_path / "plain.h5"), "to measure changes nothing"
    with RunReader(parent) as reader:
        assert reader.attrs("largest")["label"] == "Largest parameter" and reader.also == ()


def test_a_replay_of_its_events_records_the_same_series(parent: Path, tmp_path: Path):
    with RunReader(parent) as reader:
        again = Request(
            experiment=NAME,
            config=reader.config,
            out=str(tmp_path / "again.h5"),
            replay=tuple(reader.events()),
            also=reader.also,
        )
        names = reader.names()
    assert here(again) == ("finished", "")
    for name in names:
        assert rows(tmp_path / "again.h5", name) == rows(parent, name), name


def test_a_branch_goes_on_with_what_was_on_there(parent: Path, tmp_path: Path):
    late = [*range(84, 201, 7), 200]
    for at, expected in ((20, None), (30, [30, *range(35, 201, 7), 200]), (80, [80, *late]), (95, None)):
        here(Request(experiment=NAME, parent=str(parent), at=at, out=str(tmp_path / f"{at}.h5")))
        with RunReader(tmp_path / f"{at}.h5") as reader:
            assert reader.series("largest")[0].tolist() == expected if expected else "largest" not in reader.names()
            assert reader.also == (("largest=7",) if expected else ())


def test_a_run_stopped_between_goes_on_with_what_was_on(tmp_path: Path):
    watcher = Watcher()
    watcher.commands.put(("pause",))
    watcher.when(paused_at(watcher, 0), "step", 30)
    watcher.when(paused_at(watcher, 30), "instruments", ("largest=7",), ())
    watcher.when(switched("on"), "step", 20)
    watcher.when(paused_at(watcher, 50), "stop")
    assert here(request(tmp_path, "broken.h5"), watcher)[0] == "stopped"
    assert here(Request(experiment=NAME, out=str(tmp_path / "broken.h5"), resume=True)) == ("finished", "")
    assert rows(tmp_path / "broken.h5", "largest")[0] == [30, *range(35, 201, 7), 200]


def test_a_run_taken_back_before_the_switch_meets_it_again_once(tmp_path: Path):
    watcher = switching(20, then="goto")
    watcher.answers[-1] = (paused_at(watcher, 110), ("goto", 10))
    watcher.when(lambda m: m[:2] == ("state", "paused") and watcher.of("progress")[-1][1] == 10, "go")
    assert here(request(tmp_path, "back.h5"), watcher) == ("finished", "")
    assert rows(tmp_path / "back.h5", "largest")[0] == READ
    assert sum(e["kind"] == "instruments" for e in stored_events(tmp_path / "back.h5")) == 2
    with RunReader(tmp_path / "back.h5") as reader:  # it paused at both, but had been at the second before
        assert {10, 110}.intersection(reader.checkpoints()) == {110}


def test_what_cannot_be_switched_is_refused_and_nothing_changes():
    memory = MemoryRun()
    experiment = Tiny(Tiny.configure())
    experiment.setup()
    engine = Engine(experiment, memory)
    for wanted in (("largest", "bias"), ("sharpness",), ("largest=0",)):
        with pytest.raises(ConfigError):
            engine.switch(wanted)
    engine.switch((), ("largest",))  # is off already
    assert engine.also == () and memory.events() == []


def test_events_say_which_instruments_are_on():
    def event(on: list[str], off: list[str]) -> Any:
        return {"step": 0, "time": 0.0, "kind": "instruments", "payload": {"on": on, "off": off}}

    assert in_force(("a", "b=3"), [event(["b=9", "c@0,5"], ["a"])]) == ("b=9", "c@0,5")
    assert in_force(("a",), [event([], ["a"]), event(["a"], [])]) == ("a",)
