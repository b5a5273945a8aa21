"""A writer may die at any moment: the file opens, holds what was on disk, and the run goes on."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from storage import pages
from storage.reader import RunReader
from storage.recover import recover
from storage.writer import RunWriter
from tests.storage.killing import last_step, look, train

ROOT = Path(__file__).parents[2]


def kill(folder: Path, kills: int, seed: int) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.storage.killing", str(folder), str(kills), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_no_file_is_lost_to_fifty_kills(tmp_path):
    assert kill(tmp_path, 50, seed=1)["kills"] == 50


@pytest.mark.torture
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_no_file_is_lost_to_two_hundred_kills(tmp_path):
    assert kill(tmp_path, 200, seed=2)["kills"] == 200


def test_every_single_write_may_be_the_last_one(tmp_path, monkeypatch):
    """Replay of all that a run does to its disk, page by page: each state in between is a good file."""
    path, state = tmp_path / "run.h5", tmp_path / "state.h5"
    writer = RunWriter.create(path, {"experiment": "made-up"}, {}, {})
    image = bytearray(path.read_bytes())
    done: list[tuple[int, bytes | None]] = []
    real_write, real_cut = pages._pwrite, os.ftruncate

    def write(descriptor, data, offset):
        for start in range(0, len(data), pages.PAGE):
            done.append((offset + start, bytes(data[start : start + pages.PAGE])))
        real_write(descriptor, data, offset)

    def cut(descriptor, size):
        done.append((size, None))
        real_cut(descriptor, size)

    monkeypatch.setattr(pages, "_pwrite", write)
    monkeypatch.setattr(os, "ftruncate", cut)
    train(writer, 0, 53)
    monkeypatch.undo()
    writer.close("stopped")

    assert len(done) > 200
    shown = -1
    for number, (offset, data) in enumerate(done):
        if data is None:
            image[offset:] = bytes(max(0, offset - len(image)))
        else:
            image.extend(bytes(max(0, offset - len(image))))
            image[offset : offset + len(data)] = data
        state.write_bytes(image)
        os.utime(state, (number, number))  # long ago: the reader may keep it open
        with h5py.File(state) as file:
            assert file.attrs["state"] == "running"
        with RunReader(state) as run:
            assert last_step(run) >= shown
            shown = last_step(run)
        if number % 40 == 0:
            look(state, shown)
    assert shown == 51


def test_a_killed_run_is_interrupted_and_a_living_one_is_not(tmp_path):
    path = tmp_path / "run.h5"
    with RunWriter.create(tmp_path / "living.h5", {"experiment": "made-up"}, {}, {}):
        assert RunReader(tmp_path / "living.h5").state == "running"
        assert recover(tmp_path / "living.h5") == "running"
        shutil.copy(tmp_path / "living.h5", path)  # what a kill would leave
    assert RunReader(path).state == "interrupted"
    assert h5py.File(path).attrs["state"] == "running"
    assert recover(path) == "interrupted"
    assert h5py.File(path).attrs["state"] == "interrupted"


def test_a_run_that_goes_on_repeats_nothing_and_loses_nothing(tmp_path):
    path = tmp_path / "run.h5"
    with RunWriter.create(path, {"experiment": "made-up"}, {}, {}) as writer:
        train(writer, 0, 70)
    with RunWriter.append_to(path) as writer:
        train(writer, 51, 90)  # from the checkpoint at 50 on
    with RunReader(path) as run:
        assert last_step(run) == 89
        assert [event["step"] for event in run.events()] == [0, 20, 40, 60, 80]


def test_values_without_a_step_do_not_count(tmp_path):
    path = tmp_path / "run.h5"
    with RunWriter.create(path, {"experiment": "made-up"}, {}, {}) as writer:
        writer.append("train_loss", [0, 1], [1.0, 0.5])
    with h5py.File(path, "r+") as file:
        file["series/train_loss/value"].resize(3, axis=0)
        file.attrs["state"] = "running"
    assert RunReader(path).series("train_loss")[1].tolist() == [1.0, 0.5]
    assert recover(path) == "interrupted"
    assert np.array_equal(h5py.File(path)["series/train_loss/value"], [1.0, 0.5])
