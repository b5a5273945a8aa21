"""Kills a writer at random moments and looks at what is left; prints what it counted as JSON.

``python -m tests.storage.killing FOLDER KILLS SEED``: children are forked from one process that has everything
imported, and commit as often as they can, so that many kills fall into a commit.
"""

import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

import h5py
import numpy as np

from storage import pages
from storage.reader import RunReader
from storage.recover import recover
from storage.writer import RunWriter

STEPS = 4000


def train(writer: RunWriter, start: int, stop: int, told: mmap.mmap | None = None) -> None:
    """A made-up training, the same every time: rows, events, and a checkpoint every 50 steps."""
    for step in range(start, stop):
        writer.append("train_loss", step, 1.0 / (step + 1))
        writer.append("weights", step, np.full((1, 30), step, np.float32))
        if step % 20 == 0:
            writer.event(step, "spike", {"height": step})
        if step % 50 == 0:
            writer.checkpoint(step, {"model/weight": np.full(3000, step), "step": np.int64(step)})
        if step % 3 == 0:
            writer.flush()
            if told is not None:
                told[:8] = struct.pack("<q", step)


def killed_run(path: Path, delay: float) -> int:
    """Start a writer, kill it after ``delay`` seconds of work; the last step that it knew to be on disk."""
    told = mmap.mmap(-1, 8)
    told[:8] = struct.pack("<q", -2)
    child = os.fork()
    if child == 0:
        try:
            writer = RunWriter.create(path, {"experiment": "made-up"}, {}, {})
            told[:8] = struct.pack("<q", -1)
            train(writer, 0, STEPS, told)
        finally:
            os._exit(0)
    while struct.unpack("<q", told[:8])[0] == -2:
        time.sleep(0.0005)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return struct.unpack("<q", told[:8])[0]


def look(path: Path, known: int) -> None:
    """The file opens for anybody, holds what was on disk, and can be gone on from as if nothing had happened."""
    with h5py.File(path) as file:
        assert file.attrs["state"] == "running"
        assert "series" in file and "checkpoints" in file
    with RunReader(path) as run:
        assert run.state == "interrupted"
        last = last_step(run)
        assert last >= known, (last, known)
        kept = run.checkpoints()
        start = int(run.checkpoint(kept[-1])["step"]) + 1 if kept else 0
        assert start - 1 <= last
    assert recover(path) == "interrupted"
    with RunWriter.append_to(path) as writer:
        train(writer, start, last + 20)
    with RunReader(path) as run:
        assert last_step(run) == last + 19
        events = run.events()
        assert [event["step"] for event in events] == list(range(0, last + 20, 20))
        assert run.checkpoints() == list(range(0, last + 20, 50))


def last_step(run: RunReader) -> int:
    """Of the last row that every series has; all rows up to it must be what training gives."""
    if set(run.names()) != {"train_loss", "weights"}:
        return -1
    steps, loss = run.series("train_loss")
    np.testing.assert_array_equal(steps, np.arange(len(steps)))
    np.testing.assert_array_equal(loss, 1.0 / (steps + 1))
    also, weights = run.series("weights")
    np.testing.assert_array_equal(weights, np.repeat(also[:, None], 30, axis=1).astype(np.float32))
    return int(min(steps[-1], also[-1]))


def main() -> None:
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    moments = random.Random(seed)
    torn = 0
    for number in range(kills):
        path = folder / f"{number}.h5"
        known = killed_run(path, moments.uniform(0, 0.15))
        with path.open("rb") as file:
            torn += pages.read_journal(file.fileno()) is not None
        look(path, known)
        path.unlink()
    print(json.dumps({"kills": kills, "inside_a_commit": torn}))


if __name__ == "__main__":
    main()
