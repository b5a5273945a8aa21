"""Mixes pages of two states of a growing run file and reads the mix, in a process that may die of it.

``python -m tests.storage.torn FOLDER FIRST COUNT`` prints the number of each case before it is tried, and how many of
them could be read at the end: a reader beside a busy writer may copy such a mix.
"""

import random
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from storage.errors import RunFileError
from storage.pages import PAGE
from storage.writer import RunWriter
from tests.storage.damage import read_everything

STEPS = 100


def states(path: Path) -> list[bytes]:
    """What the file holds after each of some steps that add a row, an event and a checkpoint."""
    found = []
    with RunWriter.create(path, {"experiment": "made-up"}, {}, {}) as writer:
        for step in range(STEPS):
            writer.append("train_loss", step, 1.0)
            writer.append(f"series{step % 20}", step, np.full((1, 30), step, np.float32))
            writer.event(step, "spike", {"height": step})
            writer.checkpoint(step, {"model/weight": np.zeros(3)})
            found.append(path.read_bytes())
    return found


def mixed(states_: list[bytes], seed: int) -> bytes:
    """One state with a page or several of another, among those in which they differ."""
    random_ = random.Random(seed)
    one = random_.randrange(STEPS)
    other = min(max(one + random_.choice([-40, -5, -1, 1, 5, 40]), 0), STEPS - 1)
    base, pages = bytearray(states_[one]), states_[other]
    numbers = range(0, min(len(base), len(pages)), PAGE)
    different = [at for at in numbers if base[at : at + PAGE] != pages[at : at + PAGE]]
    for at in random_.sample(different, random_.choice([1, len(different) // 2]) if different else 0):
        base[at : at + PAGE] = pages[at : at + PAGE]
    return bytes(base)


def main() -> None:
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    kept = states(folder / "growing.h5")
    assert all(len(before) <= len(after) for before, after in pairwise(kept))
    path, whole = folder / "torn.h5", 0
    for number in range(first, first + count):
        print(number, flush=True)
        path.write_bytes(mixed(kept, number))
        try:
            read_everything(path)
        except RunFileError as error:
            assert str(path) in str(error) and "\n" not in str(error), error
        else:
            whole += 1
    print(f"{whole} read")


if __name__ == "__main__":
    main()
