"""The engine: what is recorded when, and that neither measuring, pausing nor resuming changes a number."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.engine import Engine, NonFinite
from lab.schedule import Checkpoints, Schedule, in_words
from lab.state import global_generators, stored_config
from lab.stream import MemoryRun
from lab.untouched import untouched
from tests.fakes import Tiny


def make(**values: Any) -> Tiny:
    experiment = Tiny(Tiny.configure(values=values))
    experiment.setup()
    return experiment


def finish(experiment: Tiny, **options: Any) -> MemoryRun:
    run = MemoryRun()
    for _ in Engine(experiment, run, **options):
        pass
    return run


def test_a_run_records_its_readings_at_every_step_and_instruments_on_their_schedule():
    run = finish(make(steps=20))
    assert run.series("train_loss")[0].tolist() == list(range(20))
    assert run.series("sharpness")[0].tolist() == [0, 5, 10, 15, 20]
    assert run.series("theta_now")[1].shape == (11, 3)


def test_readings_and_instruments_of_one_step_see_the_same_state():
    run = finish(make(steps=10))
    loss, norm = run.series("train_loss")[1], run.series("norm")[1]
    np.testing.assert_allclose(loss[::2], 0.5 * norm[:-1] ** 2, rtol=1e-14)


def test_the_closed_form_of_gradient_descent_on_a_quadratic():
    _, loss = finish(make(lr=0.25, steps=30)).series("train_loss")
    np.testing.assert_allclose(loss, loss[0] * 0.75 ** (2 * np.arange(30)), rtol=1e-12)


def test_series_are_declared_with_their_labels():
    run = finish(make(steps=1))
    assert run.attrs("train_loss")["label"] == "Training loss"
    assert run.attrs("sharpness")["units"] == "1/η"


def test_a_run_resumed_from_any_checkpoint_equals_an_unbroken_one_bit_for_bit():
    whole = finish(make(noise=0.5, steps=60), checkpoints=Checkpoints(60, every=7))
    assert sorted(whole.checkpoints) == [*range(0, 60, 7), 60]
    for step in (0, 7, 56):
        rest = finish(make(noise=0.5, steps=60), step=step, start=whole.checkpoints[step])
        for name in whole.names():
            steps, value = whole.series(name)
            again = dict(zip(*map(np.ndarray.tolist, rest.series(name)), strict=True))
            for s, v in zip(steps.tolist(), value.tolist(), strict=True):
                assert s < step or (s == step and s not in again) or again[s] == v, (name, s)


def test_a_resumed_run_turns_the_knobs_again_that_were_turned_before():
    run, experiment = MemoryRun(), make(noise=0.5, steps=40)
    engine = Engine(experiment, run, checkpoints=Checkpoints(40, every=10))
    for step in engine:
        if step == 10:  # the boundary that also has a checkpoint
            engine.set_knobs({"lr": 0.05})
        if step == 15:
            engine.act("reset", {"value": 2.0})
        if step == 25:
            engine.set_knobs({"lr": 0.3})
    for start in (0, 10, 20):
        state = run.checkpoints[start]
        again = finish(make(**stored_config(state)), step=start, start=state, replay=run.events())
        np.testing.assert_array_equal(again.series("train_loss")[1], run.series("train_loss")[1][start:])


def test_an_action_done_before_a_checkpoint_of_the_same_step_is_not_done_twice():
    run, experiment = MemoryRun(), make(steps=10)
    engine = Engine(experiment, run, checkpoints=Checkpoints(10, every=10))
    for step in engine:
        if step == 5:
            engine.act("reset", {"value": 3.0})
            experiment.theta *= 2  # so that a second reset would be seen
            engine.checkpoint()
    again = finish(make(steps=10), step=5, start=run.checkpoints[5], replay=run.events())
    np.testing.assert_array_equal(again.series("train_loss")[1], run.series("train_loss")[1][5:])


def test_measuring_more_often_changes_no_weight(monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(3)
    sparse, dense = make(noise=0.5, steps=30), make(noise=0.5, steps=30)
    finish(sparse)
    monkeypatch.setattr("lab.experiment.Instrument.period", lambda self, config: 1)
    finish(dense)
    assert torch.equal(sparse.theta, dense.theta)


def numpy_keys() -> np.ndarray:
    return np.asarray(global_generators()["numpy_keys"])


def test_an_instrument_cannot_touch_generators_modes_buffers_or_gradients():
    experiment = make()
    linear, norm = torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3)
    net = torch.nn.Sequential(linear, norm, torch.nn.Dropout())
    vars(experiment)["net"] = net
    assert norm.running_mean is not None
    net(torch.randn(4, 3)).sum().backward()
    grad, mean = linear.weight.grad, norm.running_mean.clone()
    before = torch.get_rng_state(), numpy_keys().copy(), experiment.generator("order").get_state()
    with untouched(experiment):
        net.eval()
        net.train()
        net(torch.randn(4, 3)).sum().backward()
        np.random.rand(3)  # noqa: NPY002 - the global generator is meant
        torch.rand(2, generator=experiment.generator("order"))
        torch.rand(2, generator=experiment.generator("data", "new"))
        net.eval()
    assert linear.weight.grad is grad and net.training
    assert torch.equal(norm.running_mean, mean)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(numpy_keys(), before[1])
    assert torch.equal(experiment.generator("order").get_state(), before[2])
    assert "data/new" not in experiment.generators


def test_gradients_of_tensors_and_modules_in_lists_are_kept_for_training():
    experiment = make()
    weights, nets = [torch.ones(2, requires_grad=True)], {"a": [torch.nn.Linear(2, 1)]}
    vars(experiment).update(weights=weights, nets=nets, again=nets)
    layer = nets["a"][0]
    layer(weights[0]).backward()
    kept = weights[0].grad, layer.weight.grad
    with untouched(experiment):
        assert weights[0].grad is None and layer.weight.grad is None
        layer(weights[0]).backward()
    assert weights[0].grad is kept[0] and layer.weight.grad is kept[1]


class Elsewhere(torch.Tensor):
    is_cpu = False


def test_readings_on_a_device_are_those_of_their_step_though_training_writes_on(monkeypatch: pytest.MonkeyPatch):
    experiment = make(steps=5)
    counter = torch.zeros(()).as_subclass(Elsewhere)
    monkeypatch.setattr(experiment, "step", lambda: {"train_loss": counter.add_(1)})
    assert finish(experiment).series("train_loss")[1].tolist() == [1, 2, 3, 4, 5]


def test_a_knob_acts_at_the_next_step_and_leaves_an_event():
    run, experiment = MemoryRun(), make(lr=0.5, steps=10)
    engine = Engine(experiment, run)
    for step in engine:
        if step == 4:
            engine.set_knobs({"lr": 1.0})
    _, loss = run.series("train_loss")
    assert loss[4] > 0 and loss[5] == 0, "η = 1 solves the quadratic in one step"
    (event,) = run.events()
    assert (event["step"], event["kind"], event["payload"]) == (4, "knobs", {"changed": {"lr": [0.5, 1.0]}})


def test_a_knob_that_is_not_live_or_not_admissible_is_refused_and_nothing_changes():
    run, experiment = MemoryRun(), make()
    engine = Engine(experiment, run)
    for values in ({"width": 4}, {"lr": -1.0}, {"lrr": 1.0}):
        with pytest.raises(ConfigError):
            engine.set_knobs(values)
    with pytest.raises(ConfigError, match="known: reset"):
        engine.act("setup", {})
    with pytest.raises(ConfigError, match="does not take these arguments"):
        engine.act("reset", {"to": 1.0})
    assert experiment.config == Tiny.configure() and not run.events()


def test_a_loss_that_is_nan_ends_the_run_with_its_data_and_names_the_tensor():
    run = MemoryRun()
    with pytest.raises(NonFinite, match=r"train_loss is nan at step 12; theta is not finite"):
        for _ in Engine(make(blow_up_at=12), run):
            pass
    step, loss = run.series("train_loss")
    assert step[-1] == 12 and math.isnan(loss[-1]) and np.isfinite(loss[:-1]).all()
    (event,) = run.events()
    assert event["kind"] == "nonfinite" and event["payload"]["tensor"] == "theta"


def test_a_knob_can_allow_nan():
    assert len(finish(make(blow_up_at=12, steps=20, allow_nonfinite=True)).series("train_loss")[0]) == 20


def test_seeds_for_data_initialisation_and_order_are_apart():
    base, order, init = make(noise=0.5), make(noise=0.5, order_seed=9), make(noise=0.5, init_seed=9)
    assert torch.equal(base.theta, order.theta) and not torch.equal(base.theta, init.theta)
    a, b = finish(base).series("train_loss")[1], finish(order).series("train_loss")[1]
    assert a[0] == b[0] and a[2] != b[2]


def test_readings_that_were_dear_space_those_to_come_no_further_than_the_budget_asks(monkeypatch):
    monkeypatch.setattr("lab.schedule.REVIEW_SECONDS", 0.0)
    items = [item for item in Tiny.instruments() if item.method == "sharpness"]
    schedule = Schedule(items, Tiny.configure(values={"measure_budget": 0.25, "steps": 1000}), 0)
    for step in range(0, 105, 5):
        schedule.read(items[0], 0.05, step)
    for _ in range(200):  # two thirds of the time went into readings, more than the budget to the end of the loop
        schedule.stepped(0.01)
        schedule.rebalance()
    every = schedule.prices()["sharpness"]["every"]
    assert 0.25 / 5 < 0.05 / (0.05 + every * 0.01) <= 0.25 / 2


def test_a_reading_that_takes_next_to_nothing_is_kept_where_exact_ones_take_the_whole_budget(monkeypatch):
    monkeypatch.setattr("lab.schedule.REVIEW_SECONDS", 0.0)
    dear, cheap = (next(i for i in Tiny.instruments() if i.method == name) for name in ("where", "sharpness"))
    schedule = Schedule([replace(dear, exact=True), cheap], Tiny.configure(values={"measure_budget": 0.25}), 0)
    for step in range(2000):
        for item in schedule.due(step):
            schedule.read(item, 0.02 if item is not cheap else 0.0005, step)
        schedule.stepped(0.01)
        schedule.rebalance()
    every = schedule.prices()["sharpness"]["every"]
    assert every == 10, "half a hundredth of the time"


def test_instruments_over_budget_are_spaced_out_and_the_file_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lab.schedule.REVIEW_SECONDS", 0.0)

    class Costly(Tiny):
        def sharpness(self) -> float:
            import time

            time.sleep(0.004)
            return 1.0

    Costly.sharpness.instrument = Tiny.sharpness.instrument  # type: ignore[attr-defined] - marks are set so
    experiment = Costly(Costly.configure(values={"measure_budget": 0.2, "steps": 400}))
    experiment.setup()
    run = MemoryRun()
    engine = Engine(experiment, run)
    for _ in engine:
        pass
    changes = [e["payload"] for e in run.events() if e["kind"] == "schedule"]
    costly = [change for change in changes if change["instrument"] == "sharpness"]
    assert 10 in [change["every"] for change in costly]
    assert all(change["seconds"] >= 0.004 for change in costly), "an instrument states what a reading costs"
    price = engine.schedule.prices()["sharpness"]
    assert price["seconds"] >= 0.004 and price["steps"] > 1 and price["every"] == costly[-1]["every"]
    assert run.attrs("sharpness")["cost"] == in_words(price)
    steps = run.series("sharpness")[0]
    assert steps[0] == 0 and steps[-1] == 400, "the first and the last boundary are read whatever the budget"
    assert len(steps) < 60
    assert finish_costly_every(Costly) == 81, "a budget of one forces every reading"
    experiment = Costly(Costly.configure(values={"measure_budget": 0.2, "steps": 60}))
    experiment.setup()
    forced = finish(experiment, also=("sharpness=4",))
    assert forced.series("sharpness")[0].tolist() == list(range(0, 61, 4)), "and so does the user for one of them"
    assert "steps, " in forced.attrs("sharpness")["cost"] and "every 4 steps" in forced.attrs("sharpness")["cost"]


def test_the_same_run_again_reads_where_it_read_before_whatever_the_clock_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lab.schedule.REVIEW_SECONDS", 0.0)

    def run(sharpness_seconds: float, **options: Any) -> MemoryRun:
        now = [0.0]

        class Timed(Tiny):
            def step(self) -> Any:
                now[0] += 0.001
                return super().step()

            def sharpness(self) -> float:
                now[0] += sharpness_seconds
                return 1.0

        Timed.sharpness.instrument = Tiny.sharpness.instrument  # type: ignore[attr-defined] - marks are set so
        experiment, memory = Timed(Timed.configure(values={"measure_budget": 0.2, "steps": 400})), MemoryRun()
        experiment.setup()
        for _ in Engine(experiment, memory, clock=lambda: now[0], **options):
            pass
        return memory

    def spaced(memory: MemoryRun) -> list[Any]:
        return [(e["step"], e["payload"]) for e in memory.events() if e["kind"] == "schedule"]

    first, quick = run(0.004), run(0.0)
    assert spaced(first) and not spaced(quick)
    for told, seconds in ((first, 0.0), (first, 0.1), (quick, 0.1)):
        again = run(seconds, replay=told.events(), again=True)
        assert again.series("sharpness")[0].tolist() == told.series("sharpness")[0].tolist()
        assert spaced(again) == spaced(told)
    assert len(run(0.1, replay=quick.events()).series("sharpness")[0]) < len(quick.series("sharpness")[0])


def test_pricing_reads_once_more_what_was_read_at_the_start_and_records_nothing():
    experiment, run = make(steps=1000), MemoryRun()
    engine = Engine(experiment, run, also=("largest",))
    for step in engine:
        if step == 3:
            break
    engine.flush()
    before, theta = {name: len(run.series(name)[0]) for name in run.names()}, experiment.theta.clone()
    assert [item.method for item in engine.schedule.unpriced()] == ["sharpness", "largest"]
    engine.price(hurry=lambda: True)
    assert len(engine.schedule.unpriced()) == 2
    engine.price()
    engine.flush()
    assert engine.schedule.unpriced() == []
    assert set(engine.schedule.prices()) == {"sharpness", "where", "largest"}
    assert {name: len(run.series(name)[0]) for name in run.names()} == before
    assert torch.equal(experiment.theta, theta)


def finish_costly_every(cls: type[Tiny]) -> int:
    experiment = cls(cls.configure(values={"measure_budget": 1.0, "steps": 400}))
    experiment.setup()
    return len(finish(experiment).series("sharpness")[0])


def planned(steps: int, sizes: Callable[[int], int], **options: Any) -> tuple[list[int], list[int]]:
    """Steps of the checkpoints of a run, and the spacings it was told of."""
    plan, made, told = Checkpoints(steps, seconds=0.0, **options), [], []
    for step in range(options.get("begin", 0), steps + 1):
        if plan.due(step, 0.0) or step == steps:
            spacing = plan.made(step, sizes(step), 0.0)
            made.append(step)
            told += [] if spacing is None else [spacing]
    return made, told


@pytest.mark.parametrize("size", (10, 400, 5000))
def test_the_number_of_checkpoints_is_foreseen(size: int):
    made, _ = planned(1000, lambda step: size, budget=6000)
    foreseen = Checkpoints(1000, budget=6000).expected(size, seconds=1e6)
    assert foreseen == pytest.approx(len(made), rel=0.3)
    assert Checkpoints(1000, budget=6e6).expected(size, seconds=9.0) == 10, "no more than one a second"


def test_small_states_are_stored_fifty_times():
    made, told = planned(1000, lambda step: 10, budget=1e6)
    assert made == list(range(0, 1001, 20)) and told == []


def test_checkpoints_keep_to_their_size_budget_also_when_the_state_grows():
    made, told = planned(1000, lambda step: 300 if step else 100, budget=6000)
    assert 15 <= len(made) <= 20 and 300 * len(made) <= 6000
    assert told and max(np.diff(made)) <= 100, "evenly, up to the rounding of the last ones"


def test_a_state_beyond_the_budget_is_stored_six_times_and_at_the_end():
    made, _ = planned(1200, lambda step: 10**9, budget=1e6)
    assert made == [0, 200, 400, 600, 800, 1000, 1200]


def test_the_knob_of_their_size_is_the_budget_of_a_run_that_goes_on():
    config = Tiny.configure(values={"steps": 1000, "checkpoint_megabytes": 8})
    checkpoints = Checkpoints.of(config, 500)
    checkpoints.made(500, 400_000, 0.0)
    assert checkpoints.every == 63  # nine times in 500 steps with half of 8 MB, one of them the end


def test_a_run_that_goes_on_has_the_budget_of_what_is_left():
    made, _ = planned(1000, lambda step: 100, budget=2000, begin=500)
    assert made[0] == 500 and len(made) <= 10


def test_costly_checkpoints_come_less_often_and_planned_ones_do_not_wait():
    kept, planned = Checkpoints(1000), Checkpoints(1000, seconds=0.0)
    for checkpoints in (kept, planned):
        checkpoints.made(20, 100, 0.0, took=0.1)
    assert not kept.due(40, 19.9) and planned.due(40, 19.9)
    assert kept.due(60, 20.0), "a tenth of a second every twenty is the share that they may take"


def test_a_run_that_waits_stores_its_state_no_sooner():
    def stored(wait: float) -> list[int]:
        now, run = itertools.count(), MemoryRun()
        waited = [0.0]
        engine = Engine(make(steps=100), run, checkpoints=Checkpoints(100), clock=lambda: 0.01 * next(now) + waited[0])
        for _ in engine:
            waited[0] += wait
        return sorted(run.checkpoints)

    assert stored(wait=0.0) == stored(wait=1000.0)
    assert 2 < len(stored(wait=0.0)) < 10, "by the work alone they come seldom"


def test_a_state_larger_than_the_whole_budget_is_stored_at_the_ends_of_a_short_run():
    def made(seconds_a_step: float) -> list[int]:
        plan, found = Checkpoints(300, budget=16e6), []
        for step in range(301):
            now = step * seconds_a_step
            if plan.due(step, now) or step == 300:
                plan.made(step, 26_000_000, now)
                found.append(step)
        return found

    assert made(0.15) == [0, 300], "45 seconds"
    assert made(2.0) == [0, 150, 300]
    assert made(100.0) == list(range(0, 301, 50)), "no more often than any other large state"
    assert Checkpoints(300, budget=16e6).expected(26_000_000, 45.0) == 2
    assert Checkpoints(300, budget=16e6).expected(26_000_000, 1e6) == 7


def test_the_file_says_when_checkpoints_are_spaced_out():
    experiment, run = make(steps=100), MemoryRun()
    list(Engine(experiment, run, checkpoints=Checkpoints(100, seconds=0.0, budget=1)))
    told = [e["payload"] for e in run.events() if e["kind"] == "schedule"]
    assert told == [{"checkpoints": True, "every": 16}]
    assert sorted(run.checkpoints) == [*range(0, 97, 16), 100]


def test_a_stored_state_is_that_before_what_is_done_at_its_step_live_and_replayed():
    live = MemoryRun()
    engine = Engine(make(steps=20, noise=0.5), live, checkpoints=Checkpoints(20, at=(0, 6, 20)))
    for step in engine:
        if step == 6:  # as where a run was paused: its state is stored, then somebody acts
            engine.checkpoint()
            engine.set_knobs({"lr": 0.05})
        elif step == 11:
            engine.set_knobs({"lr": 0.1})
    again = finish(make(steps=20, noise=0.5), replay=live.events(), checkpoints=Checkpoints(20, at=(0, 6, 20)))
    assert stored_config(again.checkpoints[6])["lr"] != 0.05
    assert sorted(again.checkpoints) == sorted(live.checkpoints)
    for step, state in live.checkpoints.items():
        for path, values in state.items():
            np.testing.assert_array_equal(again.checkpoints[step][path], values, err_msg=f"{step} {path}")
