"""Hosts: the same run here and in a child process; commands, failures, resume and branch; all kept in the file."""

import os
import queue
import signal
import threading
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lab.devices import devices
from lab.hosts.children import Child, Spare
from lab.hosts.estimate import estimate
from lab.hosts.link import Command, Message, QueueLink
from lab.hosts.run import execute
from lab.request import Request
from lab.schedule import FEWEST
from storage.reader import RunReader
from tests.fakes import Tiny

NAME = "tests.fakes:"


class Watcher:
    """Collects messages and answers them with commands when something is seen."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.commands: queue.Queue[Command] = queue.Queue()
        self.answers: list[tuple[Any, Command]] = []
        self.seen = threading.Event()

    def when(self, condition: Any, *command: Any) -> None:
        self.answers.append((condition, command))

    def __call__(self, messages: list[Message]) -> None:
        self.messages += messages
        for message in messages:
            for answer in list(self.answers):
                if answer[0](message):
                    self.answers.remove(answer)
                    self.commands.put(answer[1])

    def of(self, kind: str) -> list[Message]:
        return [message for message in self.messages if message[0] == kind]


def here(request: Request, watcher: Watcher | None = None) -> tuple[str, str]:
    watcher = watcher or Watcher()
    return execute(request, QueueLink(watcher.commands, watcher))


def request(tmp_path: Path, name: str = "run.h5", **values: Any) -> Request:
    return Request(experiment=NAME, config={"noise": 0.5, **values}, out=str(tmp_path / name), preset="demo")


def rows(path: Path | str, name: str = "train_loss") -> tuple[list[int], list[float]]:
    with RunReader(path) as reader:
        step, value = reader.series(name)
        return step.tolist(), value.tolist()


def at_step(step: int) -> Any:
    return lambda message: message[0] == "progress" and message[1] >= step


def test_a_run_ends_finished_with_its_verdict_in_the_file(tmp_path: Path):
    assert here(request(tmp_path)) == ("finished", "")
    with RunReader(tmp_path / "run.h5") as reader:
        assert reader.state == "finished" and reader.header["experiment"] == NAME
        assert reader.config["noise"] == 0.5 and reader.environment["torch_build"]
        assert reader.verdict["outcome"] == "not reproduced" or reader.verdict["outcome"] == "reproduced"
        assert reader.checkpoints()[0] == 0 and reader.checkpoints()[-1] == 200
    assert rows(tmp_path / "run.h5")[0] == list(range(200))


def test_thread_and_process_write_the_same_numbers(tmp_path: Path):
    here(request(tmp_path, "thread.h5"))
    watcher = Watcher()
    Child().run(request(tmp_path, "process.h5"), watcher.commands, watcher)
    assert watcher.messages[-1] == ("end", "finished", "")
    assert rows(tmp_path / "thread.h5") == rows(tmp_path / "process.h5")
    sent = np.concatenate([message[3] for message in watcher.of("rows") if message[1] == "train_loss"])
    assert sent.tolist() == rows(tmp_path / "process.h5")[1], "what is shown is what is stored"


def test_pause_step_knob_action_and_stop_act_at_step_boundaries(tmp_path: Path):
    watcher = Watcher()

    def paused_at(step: int) -> Any:
        return lambda m: m[:2] == ("state", "paused") and watcher.of("progress")[-1][1] == step

    watcher.commands.put(("pause",))
    watcher.when(paused_at(0), "step", 3)
    watcher.when(paused_at(3), "set", {"lr": 0.7})
    watcher.when(lambda m: m[0] == "config", "act", "reset", {"value": 2.0})
    watcher.when(lambda m: m[0] == "event" and m[1]["kind"] == "action", "stop")
    state, _ = here(request(tmp_path, steps=10_000), watcher)
    assert state == "stopped"
    with RunReader(tmp_path / "run.h5") as reader:
        kinds = {event["kind"]: event for event in reader.events()}
        assert kinds["knobs"]["payload"] == {"changed": {"lr": [0.1, 0.7]}}
        assert kinds["knobs"]["step"] == kinds["action"]["step"] == 3
        assert reader.state == "stopped" and len(reader.series("train_loss")[0]) == 3


def test_rows_travel_together_and_not_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lab.engine.FLUSH_SECONDS", 3600.0)
    watcher = Watcher()
    here(request(tmp_path, steps=50), watcher)
    begin_and_end = 2
    assert len(watcher.of("progress")) == begin_and_end
    assert max(message[2][-1] for message in watcher.of("rows") if message[1] == "train_loss") == 49


def test_whoever_watches_knows_that_a_run_goes_on_before_its_first_step_is_over(tmp_path: Path):
    parts: list[list[Message]] = []
    execute(request(tmp_path, raise_at=0), QueueLink(queue.Queue(), parts.append))
    told = [message[:2] for message in parts[0]]
    assert ("state", "running") in told and ("opened", str(tmp_path / "run.h5")) in told
    assert "end" not in [message[0] for message in parts[0]]


def test_whoever_watches_learns_of_knobs_that_a_replay_turns(tmp_path: Path):
    watcher = Watcher()
    turned = {"step": 40, "time": 0.0, "kind": "knobs", "payload": {"changed": {"lr": [0.1, 0.3]}}}
    here(Request(**{**vars(request(tmp_path)), "replay": (turned,)}), watcher)
    assert [message[1]["lr"] for message in watcher.of("config")] == [0.3]


def test_a_refused_knob_is_said_and_the_run_goes_on(tmp_path: Path):
    watcher = Watcher()
    watcher.commands.put(("set", {"width": 9}))
    assert here(request(tmp_path), watcher)[0] == "finished"
    assert any("cannot be changed while the run goes on" in line for _, line in watcher.of("log"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"raise_at": 20}, "RuntimeError: asked to fail"),
        ({"blow_up_at": 20}, "train_loss is nan at step 20; theta is not finite"),
    ],
)
def test_a_failing_run_keeps_its_rows_and_says_why(tmp_path: Path, values: dict[str, Any], expected: str):
    state, problem = here(request(tmp_path, **values))
    assert state == "failed" and problem.startswith(expected)
    with RunReader(tmp_path / "run.h5") as reader:
        assert reader.state == "failed" and len(reader.series("train_loss")[0]) >= 20
        assert reader.events()[-1]["kind"] == "failure"
        assert "Traceback" in "\n".join(reader.lines())


def test_a_request_that_cannot_start_fails_in_one_line_and_leaves_no_file(tmp_path: Path):
    for bad in (Request(experiment="no-such"), request(tmp_path, width=-1)):
        state, problem = here(bad)
        assert state == "failed" and problem and "\n" not in problem
    assert not list(tmp_path.iterdir())


def test_a_child_that_is_killed_becomes_a_failed_run_with_its_data(tmp_path: Path):
    watcher = Watcher()
    Child().run(request(tmp_path, die_at=150, pause=0.002), watcher.commands, watcher)
    kind, state, problem = watcher.messages[-1]
    assert (kind, state) == ("end", "failed")
    assert "killed by signal 9" in problem and "out of memory" in problem and "run.h5" in problem
    with RunReader(tmp_path / "run.h5") as reader:
        assert reader.state == "failed"
        assert any("killed by signal 9" in line for line in reader.lines())


def test_a_stopped_run_resumes_bit_for_bit(tmp_path: Path):
    here(request(tmp_path, "whole.h5", pause=0.001))
    watcher = Watcher()
    watcher.when(at_step(60), "stop")
    assert here(request(tmp_path, "broken.h5", pause=0.001), watcher)[0] == "stopped"
    assert len(rows(tmp_path / "broken.h5")[0]) < 200
    again = Request(experiment=NAME, out=str(tmp_path / "broken.h5"), resume=True)
    assert here(again) == ("finished", "")
    for name in ("train_loss", "norm", "theta_now"):
        assert rows(tmp_path / "broken.h5", name) == rows(tmp_path / "whole.h5", name)


def test_a_resumed_run_goes_on_reading_what_it_was_asked_to_and_so_does_a_branch(tmp_path: Path):
    asked = Request(**{**vars(request(tmp_path, "broken.h5", pause=0.001)), "also": ("largest=7",)})
    here(Request(**{**vars(asked), "out": str(tmp_path / "whole.h5")}))
    watcher = Watcher()
    watcher.when(at_step(60), "stop")
    assert here(asked, watcher)[0] == "stopped"
    assert here(Request(experiment=NAME, out=str(tmp_path / "broken.h5"), resume=True)) == ("finished", "")
    assert rows(tmp_path / "broken.h5", "largest") == rows(tmp_path / "whole.h5", "largest")
    here(Request(experiment=NAME, parent=str(tmp_path / "whole.h5"), at=100, out=str(tmp_path / "branch.h5")))
    assert rows(tmp_path / "branch.h5", "largest")[0] == [100, *range(105, 200, 7), 200]


def test_a_killed_run_resumes_bit_for_bit_with_the_knob_that_was_turned(tmp_path: Path):
    whole = Watcher()
    whole.commands.put(("set", {"lr": 0.05}))
    here(request(tmp_path, "whole.h5", pause=0.01), whole)
    child, watcher = Child(), Watcher()
    watcher.commands.put(("set", {"lr": 0.05}))

    def kill(messages: list[Message]) -> None:
        watcher(messages)
        if any(at_step(150)(message) for message in messages):
            os.kill(child.pid or 0, signal.SIGKILL)

    child.run(request(tmp_path, "killed.h5", pause=0.01), watcher.commands, kill)
    assert watcher.messages[-1][1] == "failed"
    with h5py.File(tmp_path / "killed.h5") as file:  # plain HDF5 opens it
        assert file.attrs["state"] == "failed"
    assert len(rows(tmp_path / "killed.h5")[0]) < 200
    assert here(Request(experiment=NAME, out=str(tmp_path / "killed.h5"), resume=True)) == ("finished", "")
    knobs = [event["step"] for event in stored_events(tmp_path / "killed.h5") if event["kind"] == "knobs"]
    assert knobs == [0]
    for name in ("train_loss", "norm", "theta_now"):
        assert rows(tmp_path / "killed.h5", name) == rows(tmp_path / "whole.h5", name)


def stored_events(path: Path) -> list[Any]:
    with RunReader(path) as reader:
        return reader.events()


def test_a_branch_starts_at_a_step_without_a_checkpoint_and_records_its_parent(tmp_path: Path):
    here(request(tmp_path, "parent.h5"))
    same = Request(experiment=NAME, parent=str(tmp_path / "parent.h5"), at=37, out=str(tmp_path / "same.h5"))
    assert here(same) == ("finished", "")
    steps, loss = rows(tmp_path / "same.h5")
    assert steps == list(range(37, 200)) and loss == rows(tmp_path / "parent.h5")[1][37:]
    other = Request(
        experiment=NAME, parent=str(tmp_path / "parent.h5"), at=50, config={"lr": 1.0}, out=str(tmp_path / "other.h5")
    )
    here(other)
    with RunReader(tmp_path / "other.h5") as reader, RunReader(tmp_path / "parent.h5") as parent:
        assert reader.header["parent_run"] == parent.header["run_id"] and reader.header["parent_step"] == 50
        (event,) = [event for event in reader.events() if event["kind"] == "branch"]
        assert event["payload"]["changed"] == {"lr": [0.1, 1.0]}
        assert reader.series("train_loss")[1][0] == parent.series("train_loss")[1][50]
        assert reader.series("train_loss")[1][1] != parent.series("train_loss")[1][51]


def test_a_branch_that_does_not_fit_says_so(tmp_path: Path):
    here(request(tmp_path, "parent.h5"))
    bad = Request(experiment=NAME, parent=str(tmp_path / "parent.h5"), at=0, config={"width": 0})
    assert "width: 0 is not admissible" in here(bad)[1]


def test_an_estimate_scales_with_the_steps():
    short = estimate(Request(experiment=NAME, config={"steps": 1000}), seconds=0.2)
    long = estimate(Request(experiment=NAME, config={"steps": 1_000_000}), seconds=0.2)
    assert short and long
    assert long.seconds > 100 * short.seconds > 0 and short.size > 0


def test_an_estimate_has_seen_training_steps_however_long_the_first_reading_took():
    found = estimate(Request(experiment=NAME, config={"steps": 1000}), seconds=0.0)
    assert found and 0 < found.share < 1 and all(price["steps"] > 0 for price in found.prices.values())


def test_an_estimated_size_is_that_of_the_rows_however_few_steps_were_seen():
    request = Request(experiment=NAME, config={"steps": 1000})
    sizes = [found.size for seconds in (0.0, 0.2) if (found := estimate(request, seconds=seconds))]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.3)


def test_an_estimated_size_counts_the_checkpoints(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lab.hosts.estimate.capture", lambda experiment: {"theta": np.zeros(10**6)})
    found = estimate(Request(experiment=NAME, config={"steps": 1000}), seconds=0.0)
    assert found and found.size == pytest.approx((FEWEST + 1) * 8e6, rel=0.05)


def test_an_estimate_says_what_a_reading_of_each_instrument_costs_before_the_run():
    found = estimate(Request(experiment=NAME, config={"steps": 1000}, also=("largest",)), seconds=0.1)
    assert found and set(found.prices) == {"sharpness", "where", "largest"}
    assert all(price["steps"] > 0 and price["seconds"] > 0 for price in found.prices.values())
    assert found.prices["largest"]["every"] == 4 and 0 < found.share < 1


def test_an_estimate_tells_what_a_run_takes_from_what_it_waits_for(monkeypatch: pytest.MonkeyPatch):
    step = Tiny.step

    def interrupted(self: Tiny) -> Any:
        time.sleep(0.002)
        return step(self)

    monkeypatch.setattr(Tiny, "step", interrupted)
    found = estimate(Request(experiment=NAME, config={"steps": 100_000}), seconds=0.2)
    assert found is not None
    assert found.busy > 1.3 and found.seconds < 100, "the 200 s of waiting are not its own"


def test_an_estimate_in_a_hurry_is_given_up():
    assert estimate(Request(experiment=NAME), hurry=lambda: True) is None


def test_a_spare_child_answers_questions_in_its_place_and_leaves_nothing_behind():
    spare = Spare()
    child = spare.peek()
    answer = child.estimate(Request(experiment=NAME))
    assert isinstance(answer, tuple) and answer.seconds > 0 and answer.size > 0 and answer.prices
    assert "no experiment is called" in str(child.estimate(Request(experiment="no-such")))
    assert child.devices() == devices() and devices()[0] == ("cpu", "CPU")
    assert spare.peek() is child
    spare.close()
    assert not child.alive


def test_a_device_that_this_machine_lacks_is_said_with_those_it_has(tmp_path: Path):
    state, problem = here(Request(experiment=NAME, out=str(tmp_path / "a.h5"), device="cuda:7"))
    assert state == "failed"
    assert problem.startswith("This machine has no device 'cuda:7'. It has: cpu")
    assert not list(tmp_path.iterdir())


def test_a_run_takes_the_child_from_the_question_that_it_thinks_about(tmp_path: Path):
    spare, watcher, answers = Spare(), Watcher(), []
    child = spare.peek()
    asking = threading.Thread(target=lambda: answers.append(child.estimate(request(tmp_path, steps=10**9))))
    asking.start()
    assert spare.take() is child
    child.run(request(tmp_path), watcher.commands, watcher)
    asking.join(30)
    assert watcher.messages[-1] == ("end", "finished", "")
    assert answers == [None]
    spare.close()


def test_closing_ends_a_question_that_is_being_answered():
    spare, ended = Spare(), threading.Event()
    child = spare.peek()

    def ask() -> None:
        with pytest.raises((EOFError, OSError)):
            child.estimate(Request(experiment=NAME))
        ended.set()

    asking = threading.Thread(target=ask)
    asking.start()
    spare.close()
    assert ended.wait(30)
    asking.join()
