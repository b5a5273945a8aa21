"""``make bench``: every target, measured in one run; prints the table and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.bench import curvature, experiments, landscape, library, many, recording, window
from tests.bench.table import markdown

PAGE = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"
BENCHES = {
    "window": window.measure,
    "recording": recording.measure,
    "curvature": curvature.measure,
    "landscape": landscape.measure,
    "experiments": experiments.measure,
    "many": many.measure,
    "library": library.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=BENCHES, action="append", help="do not write the page, only print")
    options = parser.parse_args()
    results = [result for name in options.only or BENCHES for result in BENCHES[name]()]
    table = markdown(results)
    print(table)
    if not options.only:
        PAGE.write_text("# Benchmarks\n\nRatios measured side by side; `make bench` repeats them.\n\n" + table + "\n")


if __name__ == "__main__":
    main()
