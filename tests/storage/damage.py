"""Damages a run file at random and opens it, again and again, in a process that may die of it.

``python -m tests.storage.damage FILE FIRST COUNT`` prints the number of each case before it is tried.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from storage.catalogue import entry
from storage.errors import RunFileError
from storage.reader import RunReader
from storage.recover import recover
from storage.writer import RunWriter

SLOW = 5.0
"""Seconds of processor time after which a case counts as a hang."""


def whole_run(path: Path) -> bytes:
    """A run file with some of everything."""
    with RunWriter.create(path, {"experiment": "adam-spikes", "title": "Spikes", "seed": 1}, {"lr": 0.1}, {}) as run:
        for number in range(12):  # more than eight links: a group with its own index
            run.declare(f"series{number}", {"label": "Loss", "symbol": "L", "units": "1"})
            for step in range(3000 if number == 0 else 40):
                run.append(f"series{number}", step, float(step))
        run.append("maps", [0, 1], np.ones((2, 9, 9), np.float32))
        for step in range(5):
            run.event(step, "spike", {"height": step})
            run.log(f"step {step}")
        run.checkpoint(20, {"model/weight": np.ones((40, 40)), "optimiser/exp_avg/0": np.zeros(40)})
        run.set_verdict({"outcome": "reproduced"})
        run.set_default_view(["series0"])
    return path.read_bytes()


def damaged(whole: bytes, seed: int) -> bytes:
    """One way to damage the file: bytes changed, a block overwritten, cut off, or parts swapped."""
    random_ = random.Random(seed)
    data = bytearray(whole)
    at = random_.randrange(len(data)) if random_.random() < 0.3 else random_.choice(_spots(whole))
    way = random_.randrange(6)
    if way == 0:
        for _ in range(random_.randint(1, 40)):
            data[random_.choice(_spots(whole)) if random_.random() < 0.8 else random_.randrange(len(data))] ^= 1 << (
                random_.randrange(8)
            )
    elif way == 1:
        data[at : at + 8] = random_.choice([b"\xff" * 8, bytes(8), random_.randbytes(8), b"\xff" * 4 + bytes(4)])
    elif way == 2:
        data[at : at + 64] = random_.randbytes(len(data[at : at + 64]))
    elif way == 3:
        del data[at:]
    elif way == 4:
        other = random_.choice(_spots(whole))
        data[at : at + 8] = data[other : other + 8]
    else:
        length = random_.randrange(1, 4096)
        data[at : at + length] = bytes(len(data[at : at + length]))
    return bytes(data)


def read_everything(path: Path) -> None:
    """All that a run file holds."""
    with RunReader(path) as run:
        _ = run.header, run.state, run.config, run.environment, run.verdict, run.events(), run.lines()
        for name in run.names():
            run.attrs(name)
            run.series(name)
        for step in run.checkpoints():
            run.checkpoint(step)


def exercise(path: Path) -> str:
    """Everything that the app does with a file; ``fine`` or the error. Anything but RunFileError gets out."""
    entry(path)
    try:
        read_everything(path)
        recover(path)
        with RunWriter.append_to(path) as writer:
            for name in [*writer.names(), "more"]:
                writer.append(name, 1 << 40, 1.0)
    except RunFileError as error:
        assert str(path) in str(error) and "\n" not in str(error), error
        return str(error)
    except (KeyError, ValueError) as error:  # no such rows, or rows of another shape: the caller's own mistake
        return repr(error)
    return "fine"


_SPOTS: dict[int, list[int]] = {}


def _spots(whole: bytes) -> list[int]:
    """Where something is written: most of a run file is room for more rows."""
    if id(whole) not in _SPOTS:
        array = np.frombuffer(whole, np.uint8)
        _SPOTS[id(whole)] = np.flatnonzero(array != 0).tolist()
    return _SPOTS[id(whole)]


def main() -> None:
    whole, first, count = Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + count):
            print(number, flush=True)
            path = Path(folder, f"{number}.h5")
            path.write_bytes(damaged(whole, number))
            start = time.process_time()  # a busy machine is not the file's fault; the caller's limit ends a hang
            exercise(path)
            took = time.process_time() - start
            assert took < SLOW, f"case {number} took {took:.1f} s of processor time"
            path.unlink()


if __name__ == "__main__":
    main()
