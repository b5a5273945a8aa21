"""Messages between processes."""

import multiprocessing

import numpy as np

from lab.hosts import link
from lab.hosts.link import PipeLink


def test_messages_of_any_size_arrive_as_they_were_one_after_another(monkeypatch):
    monkeypatch.setattr(link, "KEPT", 1000)
    ours, theirs = multiprocessing.Pipe()
    sender = PipeLink(theirs)
    rng = np.random.default_rng(0)
    for count in (3, 700, 2, 40, 0, 1):  # longer and shorter than those before, and than what the buffer keeps
        rows, flipped = rng.normal(size=(count, 5)), rng.normal(size=(5, count)).T
        sender.send([("rows", "loss", np.arange(count), rows), ("rows", "flipped", np.arange(count), flipped)])
        (_, name, step, value), (*_, other) = ours.recv()
        assert name == "loss"
        np.testing.assert_array_equal(step, np.arange(count))
        np.testing.assert_array_equal(value, rows)
        np.testing.assert_array_equal(other, flipped)
        assert value.flags.writeable
    assert not ours.poll()
    ours.close()
    theirs.close()
