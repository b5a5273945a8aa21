"""What a plot calls its series."""

from lab.naming import symbol, symbols
from lab.stream import MemoryRun


def _run() -> MemoryRun:
    run = MemoryRun()
    run.declare("train_loss", {"symbol": "L", "label": "Training loss"})
    run.declare("test_loss", {"symbol": "L", "label": "Test loss"})
    run.declare("sharpness", {"symbol": "λ_max", "label": "Sharpness"})
    return run


def test_a_symbol_that_two_series_share_gives_way_to_their_labels():
    names = ["train_loss", "test_loss", "sharpness"]
    assert list(symbols(_run(), names).values()) == ["Training loss", "Test loss", "λ_max"]
    assert symbols(_run(), names[1:]) == {"test_loss": "L", "sharpness": "λ_max"}


def test_a_series_without_symbol_or_label_is_called_by_its_name():
    assert symbol(_run(), "ratio_of_means") == "ratio of means"
