"""Runs trained in one batch: the numbers of single runs within a tolerance, one file each, a failing one alone."""

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab import registry
from lab.experiments.condensation import Condensation
from lab.hosts.link import QueueLink
from lab.hosts.many import execute_many
from lab.hosts.run import execute
from lab.request import Request
from lab.studies.board import Board
from lab.studies.study import Study
from storage.reader import RunReader
from tests.lab.hosts.test_run import Watcher

TOLERANCE = 1e-6  # relative; measured 1e-9 and less: rounding in another order, which Adam's division amplifies
SINGLE = 1e-4  # the same in single precision


def requests(folder: Path, preset: str, points: list[dict[str, Any]], name: str = "condensation") -> list[Request]:
    cls = registry.experiment(name)
    configs = [cls.configure(preset, values={"measure_budget": 1.0, **values}) for values in points]
    assert len({cls.batch_key(config) for config in configs}) == 1
    return [
        Request(experiment=name, config=config.model_dump(mode="json"), out=str(folder / f"{i}.h5"))
        for i, config in enumerate(configs)
    ]


def pairs_of_runs(folder: Path, name: str, preset: str, points: list[dict[str, Any]]) -> Iterator[tuple[Any, Any]]:
    """Readers of each run by itself and of the same run from one batch."""
    for place in ("one", "many"):
        (folder / place).mkdir()
    singly, together = (requests(folder / place, preset, points, name) for place in ("one", "many"))
    watcher = Watcher()
    execute_many(together, QueueLink(watcher.commands, watcher))
    assert watcher.messages[-1] == ("end", "finished", "")
    for one, many in zip(singly, together, strict=True):
        execute(one, QueueLink(queue.Queue(), lambda messages: None))
        with RunReader(one.out) as left, RunReader(many.out) as right:
            assert right.state == "finished" and right.config == left.config and right.verdict["outcome"]
            assert f"one batch of {len(points)} runs" in "\n".join(right.lines())
            assert set(left.names()) == set(right.names())
            yield left, right


SCENES = [
    (
        "start",
        [{"gamma": g, "lr": lr, "seed": s, "steps": 40} for g, lr, s in [(4, 1e-3, 0), (0.5, 3e-3, 1), (1, 1e-2, 2)]],
    ),
    (
        "phase",
        [
            {"gamma": g, "gamma_prime": p, "seed": s, "widths": "20 40", "steps": 900, "record_every": 100}
            for g, p, s in [(0.5, 0, 0), (1.5, 0.5, 1), (1.0, -1, 2)]
        ],
    ),
]


@pytest.mark.parametrize(("preset", "points"), SCENES, ids=["start", "phase"])
def test_a_batch_agrees_with_single_runs(preset: str, points: list[dict[str, Any]], tmp_path: Path):
    for left, right in pairs_of_runs(tmp_path, "condensation", preset, points):
        for name in ("train_loss", "relative_distance", "condensed_fraction", "weighted_fraction", "amplitude"):
            step, value = left.series(name)
            again, seen = right.series(name)
            np.testing.assert_array_equal(step, again, err_msg=name)
            np.testing.assert_allclose(seen, value, rtol=TOLERANCE, atol=1e-12, err_msg=name)


def test_modular_arithmetic_in_a_batch_agrees_with_single_runs(tmp_path: Path):
    settings = {"p": 11, "width": 50, "steps": 60, "prune_every": 30}
    varied = [
        {"weight_decay": 0.0, "xi": 0.0, "lr": 1e-2, "seed": 0},
        {"weight_decay": 5.0, "xi": 0.2, "lr": 5e-3, "seed": 1},
        {"weight_decay": 20.0, "xi": 0.5, "lr": 1e-2, "data_seed": 7, "label_seed": 3},
    ]
    points = [settings | values for values in varied]
    for left, right in pairs_of_runs(tmp_path, "corrupted-grokking", "demo", points):
        for name in ("train_loss", "weight_norms", "neuron_norm", "train_accuracy", "given_accuracy"):
            np.testing.assert_array_equal(left.steps(name), right.steps(name), err_msg=name)
            one, many = left.series(name)[1], right.series(name)[1]
            np.testing.assert_allclose(many, one, rtol=SINGLE, atol=1e-6, err_msg=name)
            assert one.dtype == many.dtype


def test_a_stopped_batch_goes_on_run_by_run(tmp_path: Path):
    preset, points = SCENES[1]
    together = requests(tmp_path, preset, points)
    watcher = Watcher()
    watcher.commands.put(("stop",))
    execute_many(together, QueueLink(watcher.commands, watcher))
    for request in together:
        with RunReader(request.out) as reader:
            assert reader.state == "stopped" and reader.checkpoints()[-1] < 900
    again = Request(experiment="condensation", out=together[1].out, resume=True)
    assert execute(again, QueueLink(queue.Queue(), lambda messages: None)) == ("finished", "")
    with RunReader(again.out) as reader:
        assert reader.series("train_loss")[0].tolist() == list(range(900))


def test_a_run_that_fails_leaves_its_batch_alone(tmp_path: Path):
    points = [{"lr": lr, "gamma": 0.5, "steps": 30} for lr in (1e-3, 1e-3)]
    together = requests(tmp_path, "start", points)
    broken: Any = Condensation.batch

    def spoilt(members: Any) -> Any:
        batch = broken(members)
        members[0].y.fill_(np.nan)
        batch.y[0] = np.nan
        return batch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Condensation, "batch", spoilt)
        execute_many(together, QueueLink(queue.Queue(), lambda messages: None))
    with RunReader(together[0].out) as bad, RunReader(together[1].out) as good:
        assert bad.state == "failed" and "train_loss is nan at step 0" in bad.events()[-1]["payload"]["message"]
        assert good.state == "finished" and good.series("train_loss")[0].tolist() == list(range(30))


def test_a_board_hands_out_what_can_be_trained_together(tmp_path: Path):
    axes = [{"knob": "width", "values": [10, 20]}, {"knob": "gamma", "values": [0.5, 1.0, 2.0]}]
    study = Study.of(experiment="condensation", axes=axes)
    board = Board(study, Condensation, tmp_path / "a")
    assert [cell.point.values for cell in board.take()] == [{"width": 10, "gamma": g} for g in (0.5, 1.0, 2.0)]
    assert len(board.take(workers=2)) == 2 and len(board.take()) == 1
    assert len(Board(study, Condensation, tmp_path / "b", batches=False).take()) == 1
